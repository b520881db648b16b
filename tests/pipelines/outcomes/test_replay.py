"""Ballots under the limits of another policy."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.outcomes.replay import Limit, Limits, Taken, replay, totals_of

BALLOTS = {"anna": {1: 60, 2: 40}, "ben": {1: 10, 3: 1}, "cleo": {3: 30}}
AUTHORS = {1: "ben", 3: "cleo"}


def limits(**changed: Any) -> Limits:
    return Limits(**({"grant": 100, "allocation_min": 1, "idea_max": None, "own_ideas": True} | changed))


@pytest.mark.parametrize(
    ("changed", "limit", "taken", "left"),
    [
        ({"own_ideas": False}, Limit.OWN_IDEAS, Taken(2, 40), {"anna": {1: 60, 2: 40}, "ben": {3: 1}}),
        ({"idea_max": 25}, Limit.IDEA_MAX, Taken(2, 55), {"anna": {1: 25, 2: 25}, "ben": {1: 10, 3: 1}, "cleo": {3: 25}}),
        ({"allocation_min": 10}, Limit.ALLOCATION_MIN, Taken(1, 1), {"anna": {1: 60, 2: 40}, "ben": {1: 10}, "cleo": {3: 30}}),
        ({"grant": 11}, Limit.GRANT, Taken(2, 108), {"anna": {1: 7, 2: 4}, "ben": {1: 10, 3: 1}, "cleo": {3: 11}}),
    ],
)  # fmt: skip
def test_a_limit_takes_coins_from_the_ballots_that_break_it(
    changed: dict[str, Any], limit: Limit, taken: Taken, left: dict[str, dict[int, int]]
) -> None:
    found = replay(BALLOTS, AUTHORS, limits(**changed))
    assert found.ballots == left
    assert found.taken == {each: taken if each is limit else Taken() for each in Limit}


def test_totals_count_coins_and_backers() -> None:
    assert totals_of(BALLOTS) == {1: (70, 2), 2: (40, 1), 3: (31, 2)}


def test_limits_follow_one_another() -> None:
    """Half of the grant leaves 30 and 20, of which the maximum takes 5, and the minimum refuses the 20."""
    found = replay({"anna": {1: 60, 2: 40}}, {}, limits(grant=50, idea_max=25, allocation_min=21))
    assert found.ballots == {"anna": {1: 25}}
    assert [found.taken[limit].coins for limit in Limit] == [0, 50, 5, 20]


ballots = st.dictionaries(
    st.integers(0, 5), st.dictionaries(st.integers(0, 5), st.integers(1, 50), min_size=1), max_size=6
)


@given(ballots, st.integers(1, 60), st.integers(1, 10), st.none() | st.integers(10, 60), st.booleans())
def test_what_is_left_keeps_every_limit_and_no_coin_is_lost(
    given_ballots: dict[int, dict[int, int]],
    grant: int,
    least: int,
    most: int | None,
    own: bool,  # noqa: FBT001
) -> None:
    authors = {idea: idea for idea in range(6)}
    found = replay(given_ballots, authors, Limits(grant, least, most, own))
    for member, ballot in found.ballots.items():
        assert sum(ballot.values()) <= grant
        assert all(least <= coins <= min(most or grant, given_ballots[member][idea]) for idea, coins in ballot.items())
        assert own or member not in ballot
    taken = sum(each.coins for each in found.taken.values())
    assert taken + sum(sum(each.values()) for each in found.ballots.values()) == sum(
        sum(each.values()) for each in given_ballots.values()
    )
