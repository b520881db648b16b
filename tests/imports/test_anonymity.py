"""Attributes that identify a voter are left out."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from api.imports.anonymity import shared_attributes

VOTERS = st.lists(
    st.dictionaries(st.sampled_from(["age", "sex", "district"]), st.integers(0, 2), max_size=3), min_size=5, max_size=40
)


class TestSharedAttributes:
    def test_common_values_stay_and_rare_ones_are_left_out(self) -> None:
        voters = [{"sex": "F"}] * 6 + [{"sex": "M"}] * 9 + [{"sex": "X"}] * 3 + [{}] * 2
        assert Counter(map(repr, shared_attributes(voters, 5))) == {"{'sex': 'F'}": 6, "{'sex': 'M'}": 9, "{}": 5}

    def test_voters_without_a_value_are_not_a_small_group(self) -> None:
        voters = [{"sex": "F"}] * 6 + [{"sex": "M"}] * 9 + [{"sex": "X"}]
        assert Counter(map(repr, shared_attributes(voters, 5))) == {"{'sex': 'M'}": 9, "{}": 7}

    def test_a_combination_is_as_frequent_as_a_value(self) -> None:
        voters = [{"sex": sex, "district": district} for sex in "FM" for district in ("N", "S") for _ in range(4)]
        shared = shared_attributes(voters, 5)
        assert Counter(map(repr, shared)) == {"{'district': 'N'}": 8, "{'district': 'S'}": 8}

    def test_of_fewer_voters_nothing_stays(self) -> None:
        assert shared_attributes([{"sex": "F"}] * 4, 5) == [{}] * 4

    @given(VOTERS)
    def test_each_combination_is_shared_by_enough_voters(self, voters: list[dict[str, int]]) -> None:
        shared = shared_attributes(voters, 5)
        assert all(kept.items() <= voter.items() for kept, voter in zip(shared, voters, strict=True))
        assert min(Counter(tuple(sorted(kept.items())) for kept in shared).values()) >= 5
