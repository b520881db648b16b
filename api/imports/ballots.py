"""Converts ballots to coins.

approval: 1 coin for each time that the ballot names an idea. cumulative, scoring: the points that the ballot gives it.
ordinal: the points of the ballot if it has any, otherwise Borda by the ballot's own length: the first of n names gets n
coins, the last one 1.

An idea that a ballot names twice gets the sum as one allocation. 0 points name an idea without moving coins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from api.imports.cells import known, whole
from api.imports.elections import COINS_MAX, Ballot, BallotKind, Rules
from api.imports.errors import Fault
from api.imports.sections import Row, Table
from api.kernel.texts import joined_lines

_VOTER_REF_LENGTH_MAX = 190
_NOT_ATTRIBUTES = frozenset({"voter_id", "vote", "points"})
# limits that are also those of the campaign's coins, so that a ballot above them cannot be allocated
_LIMITS_OF_POLICY = ("max_points", "max_sum_points")


@dataclass(frozen=True)
class Votes:
    """The section VOTES.

    `ballots` are all readable ballots; `irregular` describes those that violate a limit of META, which published totals may
    count or not. `faults` are the errors of invalid rows.
    """

    ballots: tuple[Ballot, ...]
    irregular: tuple[Fault, ...]
    faults: tuple[Fault, ...]


def read_votes(table: Table, kind: BallotKind, rules: Rules, costs: Mapping[str, Decimal]) -> Votes:
    """The ballots of VOTES. `costs` are the costs of the projects by id.

    Raises:
        Fault: VOTES lacks a column that this kind of ballot needs.
    """
    needed = ["voter_id", "vote"] + ["points"] * (kind in {BallotKind.CUMULATIVE, BallotKind.SCORING})
    for column in needed:
        if column not in table.columns:
            expected = f"columns {', '.join(needed)} for {kind} ballots"
            raise Fault(table.header_line, f"VOTES has no column {column!r}", expected)
    if not (table.rows or table.faults):
        raise Fault(table.header_line, "VOTES contains no ballot; the file may be truncated", "the complete file")
    ballots: list[Ballot] = []
    irregular: list[Fault] = []
    faults = list(table.faults)
    line_of: dict[str, int] = {}
    for row in table.rows:
        try:
            ballot = Ballot(row.line, _voter_ref(row, line_of), _named(row, kind, costs), _attributes(row))
            violation = _find_violation(ballot, rules, costs)
        except Fault as fault:
            faults.append(fault)
        else:
            ballots.append(ballot)
            irregular += [violation] if violation else []
    return Votes(tuple(ballots), tuple(irregular), tuple(faults))


def _voter_ref(row: Row, line_of: dict[str, int]) -> str:
    ref = row.values["voter_id"]
    if not ref:
        raise Fault(row.line, "the ballot has no voter_id", "an id for each voter")
    if len(ref) > _VOTER_REF_LENGTH_MAX:
        raise Fault(row.line, f"voter_id has {len(ref)} characters", f"at most {_VOTER_REF_LENGTH_MAX}")
    if ref in line_of:
        raise Fault(row.line, f"voter {ref} voted already, on line {line_of[ref]}", "one ballot per voter")
    line_of[ref] = row.line
    return ref


def _named(row: Row, kind: BallotKind, costs: Mapping[str, Decimal]) -> tuple[tuple[str, int], ...]:
    refs = _list(row.values["vote"])
    for ref in refs:
        if ref not in costs:
            reason = f"the vote names project {ref!r}, which PROJECTS does not have"
            raise Fault(row.line, reason, "ids of PROJECTS, separated by commas")
    points = _list(row.values.get("points", ""))
    if points or kind in {BallotKind.CUMULATIVE, BallotKind.SCORING}:
        if len(points) != len(refs):
            raise Fault(
                row.line, f"{len(points)} points for {len(refs)} projects", "as many points as projects, in their order"
            )
        coins = [
            whole(cell, f"the points of project {ref}", row.line, least=0)
            for ref, cell in zip(refs, points, strict=True)
        ]
        if kind is BallotKind.APPROVAL and any(coin != 1 for coin in coins):
            raise Fault(row.line, "an approval ballot gives points other than 1", "no points, or 1 for each project")
    elif kind is BallotKind.ORDINAL:
        coins = [len(refs) - place for place in range(len(refs))]
    else:
        coins = [1] * len(refs)
    return tuple(zip(refs, coins, strict=True))


def _find_violation(ballot: Ballot, rules: Rules, costs: Mapping[str, Decimal]) -> Fault | None:
    """The first limit of META that a ballot violates, if the coins can be moved nevertheless.

    Raises:
        Fault: the ballot gives more points than a wallet or the coin policy allows.
    """
    violations = dict(_violations(ballot, rules, costs))
    for limit in _LIMITS_OF_POLICY:
        if limit in violations:
            raise violations[limit]
    return next(iter(violations.values()), None)


def _violations(ballot: Ballot, rules: Rules, costs: Mapping[str, Decimal]) -> Iterator[tuple[str, Fault]]:
    """The violated limits by name."""
    coins: Counter[str] = Counter()
    for ref, points in ballot.named:
        coins[ref] += points
    total = coins.total()
    values: list[tuple[str, int | Decimal, str]] = [
        ("has a number of projects of", len(ballot.named), "length"),
        *((f"has points for project {ref} of", points, "points") for ref, points in coins.items()),
        ("gives points that sum to", total, "sum_points"),
        ("names projects whose cost sums to", sum((costs[ref] for ref in coins), Decimal(0)), "sum_cost"),
    ]
    for what, value, limit in values:
        least, most = getattr(rules, f"min_{limit}"), getattr(rules, f"max_{limit}")
        if least is not None and value < least:
            yield f"min_{limit}", _violation(ballot, f"{what} {value}", f"min_{limit}, {least}, or more")
        if most is not None and value > most:
            yield f"max_{limit}", _violation(ballot, f"{what} {value}", f"max_{limit}, {most}, or less")
    if total > COINS_MAX:
        yield "max_sum_points", _violation(ballot, f"gives {total} points", f"{COINS_MAX} or less")


def _violation(ballot: Ballot, what: str, expected: str) -> Fault:
    return Fault(ballot.line, f"the ballot of voter {ballot.voter_ref} {what}", expected)


def _attributes(row: Row) -> dict[str, str | int]:
    """Further columns of the row, with the names of the file in lower case; unknown values are omitted."""
    attributes: dict[str, str | int] = {}
    for column, cell in row.values.items():
        value = known(cell)
        if column in _NOT_ATTRIBUTES or value is None:
            continue
        is_years = column == "age" and value.isascii() and value.isdigit() and len(value) <= 3
        attributes[column] = int(value) if is_years else joined_lines(value)
    return attributes


def _list(cell: str) -> list[str]:
    return [member.strip() for member in cell.split(",")] if cell else []
