from __future__ import annotations

import pytest

from api.kernel.breaker import Breaker
from tests.factories.clocks import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


class TestBreaker:
    def test_opens_at_the_fifth_failure_in_a_row_and_reports_it_once(self, breaker: Breaker) -> None:
        assert [(breaker.failed(), breaker.allows()) for _ in range(7)] == [
            *[(False, True)] * 4, (True, False), (False, False), (False, False),
        ]  # fmt: skip

    def test_a_success_resets_the_failures(self, breaker: Breaker) -> None:
        for _ in range(20):
            assert [breaker.failed() for _ in range(4)] == [False] * 4
            assert not breaker.succeeded()
        assert breaker.allows()

    def test_allows_one_trial_call_every_30_s(self, breaker: Breaker, clock: Clock) -> None:
        for _ in range(5):
            breaker.failed()
        clock.now_s += 29.9
        assert not breaker.allows()
        clock.now_s += 0.1
        assert [breaker.allows() for _ in range(3)] == [True, False, False]
        breaker.failed()
        clock.now_s += 30
        assert [breaker.allows() for _ in range(3)] == [True, False, False]

    def test_a_successful_trial_closes_it_and_reports_it_once(self, breaker: Breaker, clock: Clock) -> None:
        for _ in range(5):
            breaker.failed()
        clock.now_s += 30
        assert breaker.allows()
        assert [breaker.succeeded(), breaker.succeeded()] == [True, False]
        assert [breaker.allows() for _ in range(3)] == [True] * 3
