"""Errors of an import."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from api.kernel.errors import DomainError

FAULTS_SHOWN_MAX = 20


class Fault(Exception):
    """One error in a file: line (from 1), reason, and expected value."""

    def __init__(self, line: int, reason: str, expected: str) -> None:
        """`reason` and `expected` are clauses without a full stop."""
        super().__init__(f"line {line}: {reason}. Expected: {expected}.")
        self.line = line
        self.reason = reason
        self.expected = expected


class MalformedElection(DomainError):
    """The file is not a valid election; nothing was imported. `faults` lists the first errors in order."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "malformed-election"
    title = "The election file is malformed"

    def __init__(self, file_name: str, faults: Sequence[Fault]) -> None:
        """`faults` has at least one member; the first 20 are listed, with the total number."""
        shown = tuple(faults[:FAULTS_SHOWN_MAX])
        lines = [f"{file_name}: {fault}" for fault in shown]
        if len(faults) > len(shown):
            lines.append(f"{file_name}: and {len(faults) - len(shown)} more errors.")
        listed: list[dict[str, Any]] = [{"line": f.line, "reason": f.reason, "expected": f.expected} for f in shown]
        super().__init__("\n".join(lines), file=file_name, faults=listed, faults_total=len(faults))
        self.file_name = file_name
        self.faults = shown


class ElectionDiffers(DomainError):
    """The same election was imported before, from a file with other content."""

    status = HTTPStatus.CONFLICT
    slug = "election-differs"
    title = "This election was imported from another file"


class CurrencyUnknown(DomainError):
    """Neither the file nor its country determines the currency, or the given one is not an ISO 4217 code."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "currency-unknown"
    title = "The election's currency is not known"


class ElectionNotOver(DomainError):
    """The election's last day has not passed; only finished elections can be imported or exported."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "election-not-over"
    title = "The election is not over"


class TooFewVoters(DomainError):
    """So few members have coins on ideas that a file of their ballots would show who voted how."""

    status = HTTPStatus.CONFLICT
    slug = "too-few-voters"
    title = "The campaign has too few voters"
