"""Token buckets in a real Redis, and what happens when that Redis is unavailable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import structlog
from redis.asyncio import Redis
from structlog.testing import capture_logs

from api.kernel import shared_rates
from api.kernel.breaker import PAUSE_S, Breaker
from api.kernel.rates import Bucket, Limit, RateLimits, Refusal
from api.kernel.shared_rates import CALL_ITEMS_MAX, SharedBuckets
from settings.rates import Rate
from tests.factories.clocks import Clock
from tests.factories.rate_limits import FIVE_A_DAY, check_all_or_none, refusal_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.factories.redis_servers import RedisServer

PATIENT_S = 30  # a busy machine is not an unavailable Redis


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
    async def test_allows_the_limit_and_returns_the_wait(self, shared: SharedBuckets) -> None:
        bucket = Bucket("anna", FIVE_A_DAY)
        assert [await refusal_of(shared, [bucket]) for _ in range(5)] == [None] * 5
        refusal = await refusal_of(shared, [bucket])
        assert refusal is not None
        assert refusal.limit is FIVE_A_DAY
        assert 0 < refusal.wait_us <= FIVE_A_DAY.interval_us

    async def test_takes_from_every_bucket_or_from_none(self, shared: SharedBuckets) -> None:
        await check_all_or_none(shared)

    async def test_processes_count_together(self, shared: SharedBuckets, other_process: SharedBuckets) -> None:
        bucket = Bucket("anna", FIVE_A_DAY)
        for process in (shared, other_process, shared, other_process, other_process):
            assert await refusal_of(process, [bucket]) is None
        assert await refusal_of(shared, [bucket]) is not None
        assert await refusal_of(other_process, [bucket]) is not None

    async def test_concurrent_requests_get_exactly_the_limit(
        self, shared: SharedBuckets, other_process: SharedBuckets
    ) -> None:
        campaign = Bucket("campaign", Limit("probes", "campaign", Rate(50, "day")))
        results = await asyncio.gather(
            *(
                refusal_of(process, [Bucket(f"member-{number % 40}", FIVE_A_DAY), campaign])
                for number in range(2 * CALL_ITEMS_MAX)
                for process in (shared, other_process)
            )
        )
        assert results.count(None) == 50
        assert {refusal.limit for refusal in results if refusal} == {campaign.limit}

    async def test_concurrent_requests_are_one_call(self, shared: SharedBuckets, redis: Redis) -> None:
        await refusal_of(shared, [Bucket("anna", FIVE_A_DAY)])
        await redis.config_resetstat()
        await asyncio.gather(*(refusal_of(shared, [Bucket(f"member-{n}", FIVE_A_DAY)]) for n in range(100)))
        assert (await redis.info("commandstats"))["cmdstat_evalsha"]["calls"] == 1
        assert await redis.dbsize() == 101

    async def test_a_cancelled_request_does_not_affect_others(self, shared: SharedBuckets, redis: Redis) -> None:
        await refusal_of(shared, [Bucket("anna", FIVE_A_DAY)])
        connections = (await redis.info("stats"))["total_connections_received"]
        for _ in range(20):
            requests = [asyncio.create_task(refusal_of(shared, [Bucket(str(uuid4()), FIVE_A_DAY)])) for _ in range(10)]
            await asyncio.sleep(0)  # they wait, and the call is running or about to start
            for request in requests[::2]:
                request.cancel()
            async with asyncio.timeout(PATIENT_S):
                results = await asyncio.gather(*requests, return_exceptions=True)
            assert results[1::2] == [None] * 5
        assert (await redis.info("stats"))["total_connections_received"] == connections

    async def test_stores_an_id_and_a_time_only_until_the_bucket_is_full(
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
    async def test_a_clock_that_is_set_back_locks_out_no_member(
        self, shared: SharedBuckets, redis: Redis, ahead_days: int
    ) -> None:
        seconds, _ = await redis.time()
        await redis.set("anna", (seconds + ahead_days * 86400) * 1_000_000)
        assert await refusal_of(shared, [Bucket("anna", FIVE_A_DAY)]) == Refusal(FIVE_A_DAY, FIVE_A_DAY.interval_us)


class TestRedisUnavailable:
    @pytest.fixture(autouse=True)
    def _log_of_its_own(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A logger keeps the configuration of its first use, which may be that of another application."""
        monkeypatch.setattr(shared_rates, "log", structlog.get_logger())

    async def test_each_process_counts_until_it_is_back(
        self, shared: SharedBuckets, redis_server: RedisServer, breaker_clock: Clock
    ) -> None:
        bucket = Bucket("anna", FIVE_A_DAY)
        assert [await refusal_of(shared, [bucket]) for _ in range(5)] == [None] * 5
        assert await refusal_of(shared, [bucket]) is not None

        redis_server.stop()
        with capture_logs() as logs:
            assert [await refusal_of(shared, [bucket]) for _ in range(5)] == [None] * 5
            for _ in range(20):
                refusal = await refusal_of(shared, [bucket])
                assert refusal is not None
                assert refusal.limit is FIVE_A_DAY
        assert [entry["log_level"] for entry in logs] == ["warning"]
        assert "Redis is unavailable" in logs[0]["event"]

        redis_server.start()
        # it is not called before the end of the pause
        assert await refusal_of(shared, [bucket]) is not None
        breaker_clock.now_s += PAUSE_S
        with capture_logs() as logs:
            assert [await refusal_of(shared, [bucket]) for _ in range(5)] == [None] * 5  # this Redis is empty
            assert await refusal_of(shared, [bucket]) is not None
        assert ["in Redis again" in entry["event"] for entry in logs] == [True]

    async def test_a_failing_trial_delays_one_request(
        self, shared: SharedBuckets, redis_server: RedisServer, breaker_clock: Clock
    ) -> None:
        redis_server.stop()
        with capture_logs() as logs:
            for _ in range(3):
                results = await asyncio.gather(
                    *(refusal_of(shared, [Bucket(str(uuid4()), FIVE_A_DAY)]) for _ in range(50))
                )
                assert results == [None] * 50
            for _ in range(10):
                await refusal_of(shared, [Bucket(str(uuid4()), FIVE_A_DAY)])
            breaker_clock.now_s += PAUSE_S
            results = await asyncio.gather(*(refusal_of(shared, [Bucket(str(uuid4()), FIVE_A_DAY)]) for _ in range(50)))
            assert results == [None] * 50
        assert len(logs) == 1

    async def test_a_server_that_hangs_is_not_waited_for(
        self, redis_server: RedisServer, redis: Redis, breaker_clock: Clock
    ) -> None:
        breaker = Breaker(breaker_clock)
        shared = SharedBuckets(redis_server.url, timeout_s=0.05, breaker=breaker)
        many = 2 * CALL_ITEMS_MAX
        redis_server.freeze()
        async with asyncio.timeout(PATIENT_S):
            results = await asyncio.gather(*(refusal_of(shared, [Bucket(f"m{n}", FIVE_A_DAY)]) for n in range(many)))
        assert results == [None] * many
        assert breaker._failures == 1  # all of them waited for the same call
        redis_server.thaw()
        for _ in range(100):
            breaker_clock.now_s += PAUSE_S
            assert await refusal_of(shared, [Bucket(str(uuid4()), FIVE_A_DAY)]) is None
            if await redis.dbsize():
                break
        else:
            pytest.fail("Redis was not called again")
        await shared.close()

    async def test_a_server_that_returns_errors_counts_as_unavailable(
        self, shared: SharedBuckets, redis: Redis, redis_server: RedisServer
    ) -> None:
        await redis.lpush("anna", "not a time")
        bucket = Bucket("anna", FIVE_A_DAY)
        assert [await refusal_of(shared, [bucket]) for _ in range(5)] == [None] * 5
        assert await refusal_of(shared, [bucket]) is not None

    async def test_an_address_without_a_server_refuses_no_request(self, redis_server: RedisServer) -> None:
        redis_server.stop()
        buckets = SharedBuckets(redis_server.url, timeout_s=PATIENT_S)
        assert [await refusal_of(buckets, [Bucket("anna", FIVE_A_DAY)]) for _ in range(5)] == [None] * 5
        await buckets.close()
