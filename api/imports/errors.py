"""Why a file was not imported."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from api.kernel.errors import DomainError

FAULTS_SHOWN_MAX = 20


class Fault(Exception):
    """One thing wrong with a file: where, what, and what would be right. `line` counts from 1."""

    def __init__(self, line: int, reason: str, right: str) -> None:
        """`reason` and `right` are clauses without a full stop."""
        super().__init__(f"line {line}: {reason}. Right would be: {right}.")
        self.line = line
        self.reason = reason
        self.right = right


class MalformedElection(DomainError):
    """The file is no election that can be counted; nothing of it was kept. `faults` are the first of them, in order."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "malformed-election"
    title = "The election file is malformed"

    def __init__(self, file_name: str, faults: Sequence[Fault]) -> None:
        """`faults` has at least one member; the first 20 are told, and how many there are."""
        shown = tuple(faults[:FAULTS_SHOWN_MAX])
        lines = [f"{file_name}: {fault}" for fault in shown]
        if len(faults) > len(shown):
            lines.append(f"{file_name}: and {len(faults) - len(shown)} more like these.")
        listed: list[dict[str, Any]] = [{"line": f.line, "reason": f.reason, "right": f.right} for f in shown]
        super().__init__("\n".join(lines), file=file_name, faults=listed, faults_total=len(faults))
        self.file_name = file_name
        self.faults = shown


class ElectionDiffers(DomainError):
    """The same election was imported before, from a file with other content."""

    status = HTTPStatus.CONFLICT
    slug = "election-differs"
    title = "This election was imported from another file"


class CurrencyUnknown(DomainError):
    """The file names no currency and its country has no single one then, or the one given is no ISO 4217 code."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "currency-unknown"
    title = "The election's currency is not known"


class ElectionNotOver(DomainError):
    """The election's last day has not passed; what is imported is a result."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "election-not-over"
    title = "The election is not over"
