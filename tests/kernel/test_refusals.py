"""Refused requests are counted: a flood of them makes few events."""

from __future__ import annotations

from uuid import uuid4

import pytest

from api.kernel import refusals
from api.kernel.origins import Origin
from api.kernel.refusals import PERIOD_S, Refusal, Refusals
from tests.factories.clocks import Clock


def refusal(origin: Origin | None = None, *, operation: str = "listUsers", problem: str = "forbidden") -> Refusal:
    return Refusal(operation, problem, 403, origin or Origin())


class TestTake:
    def test_reports_the_first_at_once_and_the_others_after_the_period(self) -> None:
        clock = Clock()
        found = Refusals(clock)
        caller = Origin(address="192.0.2.1", user_id=uuid4())
        for _ in range(1000):
            found.note(refusal(caller))
        assert [(each.origin, each.times) for each in found.take()] == [(caller, 1)]
        assert found.take() == []
        clock.now_s += PERIOD_S
        assert [each.times for each in found.take()] == [999]
        found.note(refusal(caller))
        assert [each.times for each in found.take()] == [1]

    def test_without_repetitions_reports_nothing_more(self) -> None:
        clock = Clock()
        found = Refusals(clock)
        found.note(refusal())
        found.take()
        clock.now_s += PERIOD_S
        assert found.take() == []

    def test_distinguishes_callers_addresses_operations_and_problems(self) -> None:
        found = Refusals()
        for other in (
            refusal(),
            refusal(Origin(user_id=uuid4())),
            refusal(Origin(token_id=uuid4())),
            refusal(Origin(address="192.0.2.1")),
            refusal(operation="getUser"),
            refusal(problem="scope-missing"),
        ):
            found.note(other)
        assert len(found.take()) == 6

    def test_counts_what_exceeds_the_limit_without_caller(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(refusals, "DISTINCT_MAX", 10)
        clock = Clock()
        found = Refusals(clock)
        for number in range(100):
            found.note(refusal(Origin(address=f"192.0.2.{number}")))
        taken = found.take()
        assert len(taken) == 11
        assert (taken[-1].origin, taken[-1].operation) == (Origin(), "")
        clock.now_s += PERIOD_S
        assert [each.times for each in found.take()] == [89]
