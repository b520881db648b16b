"""Statements about the published data: its date, and that newer data was refused."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from pipelines.wording.dates import minute
from pipelines.wording.texts import plain

if TYPE_CHECKING:
    from pipelines.marts import Refusal

_REASONS_MAX: Final = 3
_REASON_CHARACTERS_MAX: Final = 240
_HIDDEN: Final = "A check of the data failed. Executives and administrators see the reason."


def as_of(moment: datetime) -> str:
    """The date of a claim about the data: "as of 30 Jun 2026, 04:00 UTC"."""
    return f"as of {minute(moment)}"


def refused(refusal: Refusal) -> str:
    """That newer data was refused, and since when."""
    return f"Newer data has been refused since {minute(refusal.since)}."


def refusal_reasons(refusal: Refusal) -> str:
    """The reasons of a refusal in one line, as far as the reader may see them."""
    lines = [reason.strip().partition("\n")[0].rstrip(" .") for reason in refusal.reasons]
    shown = [plain(line, _REASON_CHARACTERS_MAX) for line in lines[:_REASONS_MAX] if line]
    if not shown:
        return _HIDDEN
    left = len(lines) - len(shown)
    more = f"; {left} more {'reason' if left == 1 else 'reasons'}" if left > 0 else ""
    return f"Reason: {'; '.join(shown)}{more}."
