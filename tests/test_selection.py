"""The table of kinds and groups of tests, and the groups that the workers of xdist get."""

from __future__ import annotations

from tests.selection import PLACES, TESTS, group_of


def test_every_place_exists() -> None:
    assert [place.path for place in PLACES if not (TESTS / place.path).exists()] == []


def test_a_file_is_a_group_unless_its_folder_is_one() -> None:
    assert group_of(TESTS / "coins/test_moves.py") == "coins/test_moves.py"
    assert group_of(TESTS / "dbt_project/test_marts.py") == "dbt_project"
