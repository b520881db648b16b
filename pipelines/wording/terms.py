"""Terms for missing values, statuses of ideas, and attributes of members."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NONE: Final = "\N{EN DASH}"
"""Shown in a cell that has no value."""
NOT_KNOWN: Final = "not known"
NOT_IN_FILE: Final = "not in the file"
"""For imported elections: the published file does not contain the value."""

ATTRIBUTES: Final[Mapping[str, str]] = {
    "department": "Department",
    "age_band": "Age",
    "sex": "Sex",
    "district": "District",
    "voting_method": "Way of voting",
}
"""Titles of the members' attributes, in the order in which they are shown."""

_STATUSES: Final[Mapping[str, str]] = {
    "pending": "waiting for approval",
    "in_progress": "in progress",
    "not_selected": "not selected",
    "outcome_unknown": f"outcome {NOT_IN_FILE}",
}


def status(name: str) -> str:
    """The status of an idea or a campaign inside a sentence: not_selected is "not selected"."""
    return _STATUSES.get(name, name.replace("_", " "))


def status_title(name: str) -> str:
    """The status of an idea or a campaign by itself, as in a table: not_selected is "Not selected"."""
    text = status(name)
    return text[:1].upper() + text[1:]
