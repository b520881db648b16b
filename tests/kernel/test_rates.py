"""Token buckets in the process and in a real Redis, and what happens when that Redis is away."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from structlog.testing import capture_logs

from api.kernel.breaker import PAUSE_S, Breaker
from api.kernel.rates import BUCKETS_SWEPT_FROM, Bucket, Limit, LocalBuckets, RateLimited, RateLimits, Refusal
from api.kernel.shared_rates import CALL_ITEMS_MAX, SharedBuckets
from settings.rates import Rate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.factories.redis_servers import RedisServer

MINUTE_US = 60_000_000
PATIENT_S = 30  # a machine that does much else is not a Redis that is away
# so slow that no token comes back while a test runs
FIVE_A_DAY = Limit("probes", "member", Rate(5, "day"))
TWO_A_DAY = Limit("probes", "campaign", Rate(2, "day"))


class Clock:
    """Time that passes when told."""

    def __init__(self, now: int = 0) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def local(clock: Clock) -> LocalBuckets:
    return LocalBuckets(clock)


class TestLocalBuckets:
    async def test_lets_the_limit_through_at_once_and_then_one_an_interval(
        self, local: LocalBuckets, clock: Clock
    ) -> None:
        limit = Limit("probes", "member", Rate(120, "minute"))
        bucket = Bucket("anna", limit)
        assert [await local.spend([bucket]) for _ in range(120)] == [None] * 120
        assert await local.spend([bucket]) == Refusal(limit, 500_000)
        clock.now += 499_999
        assert await local.spend([bucket]) == Refusal(limit, 1)
        clock.now += 1
        assert await local.spend([bucket]) is None
        assert await local.spend([bucket]) == Refusal(limit, 500_000)

    async def test_a_full_bucket_gets_no_fuller(self, local: LocalBuckets, clock: Clock) -> None:
        bucket = Bucket("anna", Limit("probes", "member", Rate(3, "minute")))
        for _ in range(4):
            assert [await local.spend([bucket]) for _ in range(3)] == [None] * 3
            assert await local.spend([bucket]) is not None
            clock.now += 100 * MINUTE_US

    @given(
        st.integers(1, 7),
        st.lists(st.tuples(st.integers(0, 30_000_000), st.sampled_from(["anna", "ben"])), min_size=1, max_size=60),
    )
    async def test_counts_as_a_bucket_of_tokens_does(self, limit: int, requests: list[tuple[int, str]]) -> None:
        clock = Clock()
        local = LocalBuckets(clock)
        rule = Limit("probes", "member", Rate(limit, "minute"))
        # the model keeps what is in a bucket, in the microseconds that it takes to fill it that far
        filled_us = {"anna": (MINUTE_US, 0), "ben": (MINUTE_US, 0)}
        for passed_us, name in requests:
            clock.now += passed_us
            level_us, at_us = filled_us[name]
            level_us = min(MINUTE_US, level_us + clock.now - at_us)
            refusal = await local.spend([Bucket(name, rule)])
            assert (refusal is None) == (level_us >= rule.interval_us)
            if refusal is None:
                filled_us[name] = (level_us - rule.interval_us, clock.now)
            else:
                assert refusal.wait_us == rule.interval_us - level_us

    async def test_takes_from_every_bucket_or_from_none(self, local: LocalBuckets) -> None:
        await _takes_from_every_bucket_or_from_none(local)

    async def test_forgets_buckets_that_are_full_again_and_no_other(self, local: LocalBuckets, clock: Clock) -> None:
        slow, quick = TWO_A_DAY, Limit("probes", "member", Rate(120, "minute"))
        for _ in range(2):
            assert await local.spend([Bucket("slow", slow)]) is None
        for number in range(10 * BUCKETS_SWEPT_FROM):
            clock.now += quick.interval_us // 100  # a hundred buckets are not full at any time
            assert await local.spend([Bucket(f"quick-{number}", quick)]) is None
        assert len(local) <= BUCKETS_SWEPT_FROM
        assert await local.spend([Bucket("slow", slow)]) is not None


class TestRateLimits:
    async def test_a_refusal_says_which_limit_and_when_to_try_again(self, local: LocalBuckets) -> None:
        limits = RateLimits(local, "coin commands", member=Rate(2, "hour"), campaign=Rate(60_000, "minute"))
        member, campaign = uuid4(), uuid4()
        for _ in range(2):
            await limits.spend(member=member, campaign=campaign)
        with pytest.raises(RateLimited) as refused:
            await limits.spend(member=member, campaign=campaign)
        assert refused.value.detail == "At most 2 coin commands per hour for one member; try again in 1,800 s."
        assert refused.value.extensions == {"scope": "member", "limit": 2, "period_s": 3600, "retry_after_s": 1800}
        assert refused.value.response_headers() == {"Retry-After": "1800"}

    async def test_a_wait_is_rounded_up_to_whole_seconds(self, local: LocalBuckets) -> None:
        limits = RateLimits(local, "probes", campaign=Rate(1000, "second"))
        campaign = uuid4()
        for _ in range(1000):
            await limits.spend(campaign=campaign)
        with pytest.raises(RateLimited) as refused:
            await limits.spend(campaign=campaign)
        assert refused.value.retry_after_s == 1

    async def test_a_scope_without_a_rate_has_no_limit(self, local: LocalBuckets) -> None:
        limits = RateLimits(local, "probes", member=None, campaign=Rate(1, "day"))
        member = uuid4()
        for _ in range(100):
            await limits.spend(member=member, campaign=uuid4())
        assert len(local) == 100

    async def test_only_scopes_that_a_request_concerns_are_counted(self, local: LocalBuckets) -> None:
        limits = RateLimits(local, "probes", member=Rate(5, "day"), campaign=Rate(1, "day"))
        for _ in range(5):
            await limits.spend(member=UUID(int=1))
        await limits.spend(member=UUID(int=2), campaign=UUID(int=3))
        with pytest.raises(RateLimited):
            await limits.spend(member=UUID(int=1))

    async def test_kinds_of_requests_are_counted_apart(self, local: LocalBuckets) -> None:
        member = uuid4()
        for what in ("probes", "other probes"):
            await RateLimits(local, what, member=Rate(1, "day")).spend(member=member)
        assert len(local) == 2


@pytest.fixture
def breaker_clock() -> Clock:
    return Clock()


@pytest.fixture
async def shared(redis_server: RedisServer, breaker_clock: Clock) -> AsyncIterator[SharedBuckets]:
    buckets = SharedBuckets(redis_server.url, timeout_s=PATIENT_S, breaker=Breaker(breaker_clock))
    yield buckets
    await buckets.close()


@pytest.fixture
async def other_process(redis_server: RedisServer) -> AsyncIterator[SharedBuckets]:
    buckets = SharedBuckets(redis_server.url, timeout_s=PATIENT_S)
    yield buckets
    await buckets.close()


@pytest.fixture
async def redis(redis_server: RedisServer) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_server.url, decode_responses=True) as redis:
        yield redis


class TestSharedBuckets:
    async def test_lets_the_limit_through_and_tells_the_wait(self, shared: SharedBuckets) -> None:
        bucket = Bucket("anna", FIVE_A_DAY)
        assert [await shared.spend([bucket]) for _ in range(5)] == [None] * 5
        refusal = await shared.spend([bucket])
        assert refusal is not None
        assert refusal.limit is FIVE_A_DAY
        assert 0 < refusal.wait_us <= FIVE_A_DAY.interval_us

    async def test_takes_from_every_bucket_or_from_none(self, shared: SharedBuckets) -> None:
        await _takes_from_every_bucket_or_from_none(shared)

    async def test_processes_count_together(self, shared: SharedBuckets, other_process: SharedBuckets) -> None:
        bucket = Bucket("anna", FIVE_A_DAY)
        for process in (shared, other_process, shared, other_process, other_process):
            assert await process.spend([bucket]) is None
        assert await shared.spend([bucket]) is not None
        assert await other_process.spend([bucket]) is not None

    async def test_a_crowd_gets_exactly_the_limit(self, shared: SharedBuckets, other_process: SharedBuckets) -> None:
        campaign = Bucket("campaign", Limit("probes", "campaign", Rate(50, "day")))
        answers = await asyncio.gather(
            *(
                process.spend([Bucket(f"member-{number % 40}", FIVE_A_DAY), campaign])
                for number in range(2 * CALL_ITEMS_MAX)
                for process in (shared, other_process)
            )
        )
        assert answers.count(None) == 50
        assert {refusal.limit for refusal in answers if refusal} == {campaign.limit}

    async def test_requests_of_one_moment_are_one_call(self, shared: SharedBuckets, redis: Redis) -> None:
        await shared.spend([Bucket("anna", FIVE_A_DAY)])
        await redis.config_resetstat()
        await asyncio.gather(*(shared.spend([Bucket(f"member-{n}", FIVE_A_DAY)]) for n in range(100)))
        assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == 1
        assert await redis.dbsize() == 101

    async def test_who_gives_up_harms_nobody(self, shared: SharedBuckets, redis: Redis) -> None:
        await shared.spend([Bucket("anna", FIVE_A_DAY)])
        connections = (await redis.info("stats"))["total_connections_received"]
        for _ in range(20):
            requests = [asyncio.create_task(shared.spend([Bucket(str(uuid4()), FIVE_A_DAY)])) for _ in range(10)]
            await asyncio.sleep(0)  # they wait, and the call is under way or about to be
            for request in requests[::2]:
                request.cancel()
            async with asyncio.timeout(PATIENT_S):
                answers = await asyncio.gather(*requests, return_exceptions=True)
            assert answers[1::2] == [None] * 5
        assert (await redis.info("stats"))["total_connections_received"] == connections

    async def test_keeps_an_id_and_a_time_for_no_longer_than_they_matter(
        self, shared: SharedBuckets, redis: Redis
    ) -> None:
        member = uuid4()
        await RateLimits(shared, "coin commands", member=Rate(24, "day")).spend(member=member)
        (key,) = await redis.keys()
        assert key == f"ideamint:coin_commands:member:{member.hex}"
        assert 0 < await redis.pttl(key) <= 3_600_000
        seconds, microseconds = await redis.time()
        left_us = int(await redis.get(key) or 0) - (seconds * 1_000_000 + microseconds)
        assert 0 < left_us <= 3600 * 1_000_000

    @pytest.mark.parametrize("ahead_days", [2, 1000])
    async def test_a_clock_set_back_locks_nobody_out(
        self, shared: SharedBuckets, redis: Redis, ahead_days: int
    ) -> None:
        seconds, _ = await redis.time()
        await redis.set("anna", (seconds + ahead_days * 86400) * 1_000_000)
        assert await shared.spend([Bucket("anna", FIVE_A_DAY)]) == Refusal(FIVE_A_DAY, FIVE_A_DAY.interval_us)


class TestRedisAway:
    async def test_each_process_counts_until_it_is_back(
        self, shared: SharedBuckets, redis_server: RedisServer, breaker_clock: Clock
    ) -> None:
        bucket = Bucket("anna", FIVE_A_DAY)
        assert [await shared.spend([bucket]) for _ in range(5)] == [None] * 5
        assert await shared.spend([bucket]) is not None

        redis_server.stop()
        with capture_logs() as logs:
            assert [await shared.spend([bucket]) for _ in range(5)] == [None] * 5
            for _ in range(20):
                refusal = await shared.spend([bucket])
                assert refusal is not None
                assert refusal.limit is FIVE_A_DAY
        assert [entry["log_level"] for entry in logs] == ["warning"]
        assert "Redis is away" in logs[0]["event"]

        redis_server.start()
        # it is not asked before its time
        assert await shared.spend([bucket]) is not None
        breaker_clock.now += int(PAUSE_S)
        with capture_logs() as logs:
            assert [await shared.spend([bucket]) for _ in range(5)] == [None] * 5  # this Redis remembers nothing
            assert await shared.spend([bucket]) is not None
        assert ["in Redis again" in entry["event"] for entry in logs] == [True]

    async def test_a_trial_that_fails_holds_up_one_request(
        self, shared: SharedBuckets, redis_server: RedisServer, breaker_clock: Clock
    ) -> None:
        redis_server.stop()
        with capture_logs() as logs:
            for _ in range(3):
                answers = await asyncio.gather(*(shared.spend([Bucket(str(uuid4()), FIVE_A_DAY)]) for _ in range(50)))
                assert answers == [None] * 50
            for _ in range(10):
                await shared.spend([Bucket(str(uuid4()), FIVE_A_DAY)])
            breaker_clock.now += int(PAUSE_S)
            answers = await asyncio.gather(*(shared.spend([Bucket(str(uuid4()), FIVE_A_DAY)]) for _ in range(50)))
            assert answers == [None] * 50
        assert len(logs) == 1

    async def test_a_server_that_hangs_is_not_waited_for(
        self, redis_server: RedisServer, redis: Redis, breaker_clock: Clock
    ) -> None:
        breaker = Breaker(breaker_clock)
        shared = SharedBuckets(redis_server.url, timeout_s=0.05, breaker=breaker)
        many = 2 * CALL_ITEMS_MAX
        redis_server.freeze()
        async with asyncio.timeout(PATIENT_S):
            answers = await asyncio.gather(*(shared.spend([Bucket(f"m{n}", FIVE_A_DAY)]) for n in range(many)))
        assert answers == [None] * many
        assert breaker._failures == 1  # all of them have waited for the same call
        redis_server.thaw()
        for _ in range(100):
            breaker_clock.now += int(PAUSE_S)
            assert await shared.spend([Bucket(str(uuid4()), FIVE_A_DAY)]) is None
            if await redis.dbsize():
                break
        else:
            pytest.fail("Redis was not asked again")
        await shared.close()

    async def test_one_that_answers_with_errors_is_as_good_as_none(
        self, shared: SharedBuckets, redis: Redis, redis_server: RedisServer
    ) -> None:
        await redis.lpush("anna", "not a time")
        bucket = Bucket("anna", FIVE_A_DAY)
        assert [await shared.spend([bucket]) for _ in range(5)] == [None] * 5
        assert await shared.spend([bucket]) is not None

    async def test_nobody_is_refused_by_an_address_where_nobody_listens(self, redis_server: RedisServer) -> None:
        redis_server.stop()
        buckets = SharedBuckets(redis_server.url, timeout_s=PATIENT_S)
        assert [await buckets.spend([Bucket("anna", FIVE_A_DAY)]) for _ in range(5)] == [None] * 5
        await buckets.close()


async def _takes_from_every_bucket_or_from_none(buckets: LocalBuckets | SharedBuckets) -> None:
    member, campaign = Bucket("member", FIVE_A_DAY), Bucket("campaign", TWO_A_DAY)

    async def refused_by(*wanted: Bucket) -> Limit | None:
        refusal = await buckets.spend(wanted)
        return refusal.limit if refusal else None

    for _ in range(2):
        assert await refused_by(member, campaign) is None
    for _ in range(10):
        assert await refused_by(member, campaign) is TWO_A_DAY
    for _ in range(3):  # the member has lost none to the empty campaign
        assert await refused_by(member) is None
    other = Bucket("other campaign", TWO_A_DAY)
    for _ in range(10):
        assert await refused_by(member, other) is FIVE_A_DAY
    for _ in range(2):  # nor this campaign any to the empty member
        assert await refused_by(other) is None
    assert await refused_by(other) is TWO_A_DAY
