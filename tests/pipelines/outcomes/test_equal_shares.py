"""The Method of Equal Shares, also beside a slow version with exact fractions."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.outcomes.ballots import Utility, make_ballots
from pipelines.outcomes.equal_shares import complete, run_equal_shares
from pipelines.outcomes.greedy import select_greedily

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Stakes = list[dict[int, int]]


def exact(
    costs: Sequence[int], share: Fraction, stakes: Sequence[Mapping[int, int]], utility: Utility
) -> list[tuple[int, Fraction]]:
    """The purchases and their prices, as the paper defines them: every price is computed anew in every round."""
    left = [share] * len(stakes)
    bought: list[tuple[int, Fraction]] = []
    while True:
        prices = {}
        for idea, cost in enumerate(costs):
            supporters = [n for n, ballot in enumerate(stakes) if ballot.get(idea, 0) > 0]
            if idea in {number for number, _ in bought} or sum(left[n] for n in supporters) < cost:
                continue
            worth = {n: stakes[n][idea] if utility is Utility.COINS else cost for n in supporters}
            rich = sorted(supporters, key=lambda n: left[n] / worth[n])
            missing, total = Fraction(cost), sum(worth.values())
            for n in rich:
                price = missing / total
                if price * worth[n] <= left[n]:
                    prices[idea] = price, worth
                    break
                missing -= left[n]
                total -= worth[n]
        if not prices:
            return bought
        idea = min(prices, key=lambda number: (prices[number][0], number))
        price, worth = prices[idea]
        bought.append((idea, price))
        for n, value in worth.items():
            left[n] -= min(left[n], price * value)


elections = st.integers(1, 6).flatmap(
    lambda ideas: st.tuples(
        st.lists(st.integers(1, 60), min_size=ideas, max_size=ideas),
        st.integers(1, 200),
        st.lists(
            st.dictionaries(st.integers(0, ideas - 1), st.integers(1, 20), max_size=ideas), min_size=1, max_size=9
        ),
        st.integers(0, 3),
    )
)


class TestRun:
    def test_a_minority_decides_about_its_part(self) -> None:
        """Two of three members want three ideas, one wants another: the greedy rule would give the one nothing."""
        stakes = [{0: 1, 1: 1, 2: 1}, {0: 1, 1: 1, 2: 1}, {3: 1}]
        ballots = make_ballots([30, 30, 30, 30], 90, stakes, members=3)
        outcome = run_equal_shares(ballots, Utility.COST)
        assert outcome.selected == (0, 1, 3)
        assert outcome.share == 30
        greedy = select_greedily(ballots, ballots.supporters_of)
        assert greedy.selected == (0, 1, 2)

    def test_names_what_each_supporter_pays(self) -> None:
        ballots = make_ballots([60, 50], 100, [{0: 5}, {0: 5}, {0: 5}, {1: 9}], members=4)
        outcome = run_equal_shares(ballots, Utility.COST)
        (purchase,) = outcome.purchases
        assert (purchase.idea, purchase.share_max, purchase.payers, purchase.payers_in_full) == (0, 20.0, 3, 3)
        assert outcome.affordable == {1: 25.0}
        assert outcome.cost == 60

    def test_supporters_pay_by_their_coins(self) -> None:
        ballots = make_ballots([30], 40, [{0: 2}, {0: 1}], members=2)
        (purchase,) = run_equal_shares(ballots, Utility.COINS).purchases
        assert purchase.price == pytest.approx(10)
        assert purchase.share_max == pytest.approx(20)

    def test_who_is_short_pays_what_is_left(self) -> None:
        ballots = make_ballots([45, 25], 80, [{0: 1, 1: 1}, {0: 1}, {0: 1}, {1: 1}], members=4)
        first, second = run_equal_shares(ballots, Utility.COST).purchases
        assert (first.idea, first.share_max, first.payers, first.payers_in_full) == (0, 15.0, 3, 3)
        assert (second.idea, second.share_max, second.payers, second.payers_in_full) == (1, 20.0, 2, 1)

    def test_members_without_coins_have_a_share_too(self) -> None:
        ballots = make_ballots([30], 60, [{0: 1}], members=4)
        assert run_equal_shares(ballots, Utility.COST).selected == ()

    def test_of_equal_ideas_the_earlier_is_bought(self) -> None:
        ballots = make_ballots([10, 10, 10], 10, [{0: 1, 1: 1, 2: 1}] * 3, members=3)
        assert run_equal_shares(ballots, Utility.COST).selected == (0,)

    @given(elections, st.sampled_from(Utility))
    @settings(max_examples=150, deadline=None)
    def test_buys_what_exact_fractions_buy(
        self, election: tuple[list[int], int, Stakes, int], utility: Utility
    ) -> None:
        costs, budget, stakes, absent = election
        members = len(stakes) + absent
        outcome = run_equal_shares(make_ballots(costs, budget, stakes, members=members), utility)
        expected = exact(costs, Fraction(budget, members), stakes, utility)
        assert [purchase.idea for purchase in outcome.purchases] == [idea for idea, _ in expected]
        assert [purchase.price for purchase in outcome.purchases] == pytest.approx([float(p) for _, p in expected])
        assert outcome.cost <= budget


class TestComplete:
    @given(elections, st.sampled_from(Utility))
    @settings(max_examples=50, deadline=None)
    def test_is_the_last_outcome_within_the_budget_and_a_greedy_rest(
        self, election: tuple[list[int], int, Stakes, int], utility: Utility
    ) -> None:
        costs, budget, stakes, absent = election
        members = len(stakes) + absent
        supported = {idea for ballot in stakes for idea in ballot}
        share, expected = Fraction(budget, members), exact(costs, Fraction(budget, members), stakes, utility)
        while True:
            spent = sum(costs[idea] for idea, _ in expected)
            bought = {idea for idea, _ in expected}
            if not any(costs[idea] <= budget - spent for idea in supported - bought):
                break
            share += 1
            following = exact(costs, share, stakes, utility)
            if sum(costs[idea] for idea, _ in following) > budget:
                break
            expected = following
        outcome = complete(make_ballots(costs, budget, stakes, members=members), utility)
        assert [purchase.idea for purchase in outcome.purchases] == [idea for idea, _ in expected]
        total = sum(costs[idea] for idea in outcome.selected)
        assert total <= budget
        assert not any(costs[idea] <= budget - total for idea in supported - set(outcome.selected))

    def test_reports_its_progress(self) -> None:
        seen: list[float] = []
        ballots = make_ballots([60, 50, 45], 100, [{0: 1}, {1: 1, 2: 1}], members=2)
        outcome = complete(ballots, Utility.COST, progress=seen.append)
        assert seen[0] == 0.5
        assert [purchase.idea for purchase in outcome.purchases] == [1]
        assert outcome.added == (2,)


class TestMakeBallots:
    @pytest.mark.parametrize(
        ("costs", "budget", "stakes", "members", "message"),
        [
            ([0], 10, [{0: 1}], 1, "positive cost"),
            ([5], 0, [{0: 1}], 1, "budget must be positive"),
            ([5], 10, [{1: 1}], 1, "an idea that has no cost"),
            ([5], 10, [{0: -1}], 1, "negative coins"),
            ([5], 10, [{0: 1}, {0: 1}], 1, "2 ballots are more than the 1 members"),
        ],
        ids=["cost", "budget", "idea", "coins", "members"],
    )
    def test_refuses_what_is_no_election(
        self, costs: list[int], budget: int, stakes: Stakes, members: int, message: str
    ) -> None:
        with pytest.raises(ValueError, match=message):
            make_ballots(costs, budget, stakes, members=members)

    def test_joins_equal_ballots(self) -> None:
        ballots = make_ballots([5, 5], 10, [{0: 1, 1: 2}, {1: 2, 0: 1}, {0: 1}, {}, {0: 0}], members=5)
        assert ballots.sizes.tolist() == [2, 1]
        assert (ballots.coins_of(0), ballots.supporters_of(0)) == (3, 3)
        assert (ballots.coins_of(1), ballots.supporters_of(1)) == (4, 2)
