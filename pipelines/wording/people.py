"""Counts of people, which are not shown exactly for small groups."""

from __future__ import annotations

from typing import Final

from pipelines.privacy import GROUP_SIZE_MIN
from pipelines.wording.numbers import count

FEWER: Final = f"fewer than {GROUP_SIZE_MIN}"
FEWER_PEOPLE: Final = f"{FEWER} people"
"""The reason that dbt gives for a figure that is not shown (`unknown_reason` of fct_figures)."""
ELIGIBLE_NOT_KNOWN: Final = "eligible people not known"
"""The reason that dbt gives for an unknown reach."""
ELIGIBLE_WRONG: Final = "eligible people not known correctly"
"""The same, if there are more members than eligible people."""
HIDDEN: Final = "not shown"
"""For numbers of coins, which would reveal a small number of people."""
UNDER: Final = f"under {GROUP_SIZE_MIN}"
"""Short form for narrow cells."""


def people(number: float | None) -> str:
    """A count of people. A number from 1 to `GROUP_SIZE_MIN` - 1 is not shown; None means such a number."""
    if number is None or 0 < number < GROUP_SIZE_MIN:
        return FEWER
    return count(number)
