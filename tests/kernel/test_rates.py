"""Token buckets in the process."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kernel.rates import BUCKETS_SWEPT_FROM, Bucket, Limit, LocalBuckets, RateLimited, RateLimits, Refusal
from settings.rates import Rate
from tests.factories.rate_limits import TWO_A_DAY, check_all_or_none, refusal_of

MINUTE_US = 60_000_000


class Clock:
    """A clock that the test advances."""

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
    async def test_allows_the_limit_immediately_and_then_one_per_interval(
        self, local: LocalBuckets, clock: Clock
    ) -> None:
        limit = Limit("probes", "member", Rate(120, "minute"))
        bucket = Bucket("anna", limit)
        assert [await refusal_of(local, [bucket]) for _ in range(120)] == [None] * 120
        assert await refusal_of(local, [bucket]) == Refusal(limit, 500_000)
        clock.now += 499_999
        assert await refusal_of(local, [bucket]) == Refusal(limit, 1)
        clock.now += 1
        assert await refusal_of(local, [bucket]) is None
        assert await refusal_of(local, [bucket]) == Refusal(limit, 500_000)

    async def test_a_full_bucket_does_not_exceed_its_limit(self, local: LocalBuckets, clock: Clock) -> None:
        bucket = Bucket("anna", Limit("probes", "member", Rate(3, "minute")))
        for _ in range(4):
            assert [await refusal_of(local, [bucket]) for _ in range(3)] == [None] * 3
            assert await refusal_of(local, [bucket]) is not None
            clock.now += 100 * MINUTE_US

    @given(
        st.integers(1, 7),
        st.lists(st.tuples(st.integers(0, 30_000_000), st.sampled_from(["anna", "ben"])), min_size=1, max_size=60),
    )
    async def test_counts_like_a_bucket_of_tokens(self, limit: int, requests: list[tuple[int, str]]) -> None:
        clock = Clock()
        local = LocalBuckets(clock)
        rule = Limit("probes", "member", Rate(limit, "minute"))
        # the model stores the content of a bucket as the microseconds that it takes to fill it that far
        filled_us = {"anna": (MINUTE_US, 0), "ben": (MINUTE_US, 0)}
        for passed_us, name in requests:
            clock.now += passed_us
            level_us, at_us = filled_us[name]
            level_us = min(MINUTE_US, level_us + clock.now - at_us)
            refusal = await refusal_of(local, [Bucket(name, rule)])
            assert (refusal is None) == (level_us >= rule.interval_us)
            if refusal is None:
                filled_us[name] = (level_us - rule.interval_us, clock.now)
            else:
                assert refusal.wait_us == rule.interval_us - level_us

    async def test_takes_from_every_bucket_or_from_none(self, local: LocalBuckets) -> None:
        await check_all_or_none(local)

    async def test_removes_only_full_buckets(self, local: LocalBuckets, clock: Clock) -> None:
        slow, quick = TWO_A_DAY, Limit("probes", "member", Rate(120, "minute"))
        for _ in range(2):
            assert await refusal_of(local, [Bucket("slow", slow)]) is None
        for number in range(10 * BUCKETS_SWEPT_FROM):
            clock.now += quick.interval_us // 100  # a hundred buckets are not full at any time
            assert await refusal_of(local, [Bucket(f"quick-{number}", quick)]) is None
        assert len(local) <= BUCKETS_SWEPT_FROM
        assert await refusal_of(local, [Bucket("slow", slow)]) is not None


class TestRateLimits:
    async def test_a_refusal_states_the_limit_and_the_wait(self, local: LocalBuckets) -> None:
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

    async def test_kinds_of_requests_are_counted_separately(self, local: LocalBuckets) -> None:
        member = uuid4()
        for what in ("probes", "other probes"):
            await RateLimits(local, what, member=Rate(1, "day")).spend(member=member)
        assert len(local) == 2
