from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from pipelines import wording
from pipelines.marts import Campaign

ELECTION = Campaign(
    campaign_id="c", slug="katowice-2021", title="Katowice 2021", status="completed", origin="imported", is_mediated=False,
    ballot_type="approval", country="Poland", unit="Katowice", currency="PLN", budget_amount=Decimal(3_003_438),
    eligible_people=None, coins_per_member=None, starts_at=None, submissions_close_at=None, ends_at=None, activated_at=None,
    completed_at=None, created_at=datetime(2026, 1, 1, tzinfo=UTC), chain_height=None, chain_hash=None, chain_sealed_at=None,
    members=900, participants=900, ideas=30, accepted_ideas=10, accepted_ideas_with_cost=10, accepted_cost=Decimal(3_000_940),
    has_times=False, is_suppressed=False,
)  # fmt: skip


def result(**changes: Any) -> str:
    return wording.result(replace(ELECTION, **changes)).replace("\N{NO-BREAK SPACE}", " ")


class TestResult:
    def test_the_winners_of_an_election_cost_a_part_of_its_budget(self) -> None:
        assert result() == "10 winners cost PLN 3,000,940 together, of a budget of PLN 3,003,438 (99.9%)."

    def test_an_own_campaign_has_accepted_ideas(self) -> None:
        assert result(origin="native", accepted_ideas=1, accepted_ideas_with_cost=1, budget_amount=None) == (
            "1 accepted idea costs PLN 3,000,940."
        )

    def test_costs_that_are_not_known_are_not_zero(self) -> None:
        assert result(accepted_ideas_with_cost=0, accepted_cost=None) == "10 winners; their cost is not known."
        assert result(accepted_ideas_with_cost=8, accepted_cost=Decimal(80)) == (
            "10 winners; the 8 with a known cost cost PLN 80, of a budget of PLN 3,003,438 (under 0.1%)."
        )

    @pytest.mark.parametrize("accepted", [None, 0])
    def test_without_winners_there_is_no_result(self, accepted: int | None) -> None:
        assert not result(accepted_ideas=accepted)
