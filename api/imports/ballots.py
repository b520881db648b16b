"""Converts ballots to coins.

approval: 1 coin for each time that the ballot names an idea. cumulative, scoring: the points that the ballot gives it.
ordinal: the points of the ballot if it has any, otherwise Borda: the first rank gets `max_length` coins and each further
rank one coin less; `max_length` is by default the number of projects.

An idea that a ballot names twice gets the sum as one allocation. 0 points name an idea without moving coins.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from api.imports.cells import known, whole
from api.imports.elections import COINS_MAX, Ballot, BallotKind, Rules
from api.imports.errors import Fault
from api.imports.sections import Row, Table

_VOTER_REF_LENGTH_MAX = 190
_NOT_ATTRIBUTES = frozenset({"voter_id", "vote", "points"})


def read_ballots(
    table: Table, kind: BallotKind, rules: Rules, costs: Mapping[str, Decimal]
) -> tuple[list[Ballot], list[Fault]]:
    """The ballots of VOTES, and the faults of invalid rows. `costs` are the costs of the projects by id.

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
    faults = list(table.faults)
    line_of: dict[str, int] = {}
    for row in table.rows:
        try:
            voter_ref = _voter_ref(row, line_of)
            named = _named(row, kind, rules, costs)
            _check_rules(row.line, voter_ref, named, rules, costs)
        except Fault as fault:
            faults.append(fault)
        else:
            ballots.append(Ballot(row.line, voter_ref, named, _attributes(row)))
    return ballots, faults


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


def _named(row: Row, kind: BallotKind, rules: Rules, costs: Mapping[str, Decimal]) -> tuple[tuple[str, int], ...]:
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
        # a ballot longer than max_length is refused by _check_rules; coins must not become negative here
        coins = [max(rules.max_length - place, 0) for place in range(len(refs))]
    else:
        coins = [1] * len(refs)
    return tuple(zip(refs, coins, strict=True))


def _check_rules(
    line: int, voter_ref: str, named: tuple[tuple[str, int], ...], rules: Rules, costs: Mapping[str, Decimal]
) -> None:
    """Check a ballot against the limits of META.

    Raises:
        Fault: for the first limit that the ballot violates.
    """

    def check(what: str, value: Decimal, limit: str) -> None:
        least, most = getattr(rules, f"min_{limit}"), getattr(rules, f"max_{limit}")
        if least is not None and value < least:
            raise Fault(line, f"the ballot of voter {voter_ref} {what} {value}", f"min_{limit}, {least}, or more")
        if most is not None and value > most:
            raise Fault(line, f"the ballot of voter {voter_ref} {what} {value}", f"max_{limit}, {most}, or less")

    check("has a number of projects of", Decimal(len(named)), "length")
    coins: Counter[str] = Counter()
    for ref, points in named:
        coins[ref] += points
    for ref, points in coins.items():
        check(f"has points for project {ref} of", Decimal(points), "points")
    check("gives points that sum to", Decimal(coins.total()), "sum_points")
    check("names projects whose cost sums to", sum((costs[ref] for ref in coins), Decimal(0)), "sum_cost")
    if coins.total() > COINS_MAX:
        raise Fault(line, f"the ballot of voter {voter_ref} gives {coins.total()} points", f"{COINS_MAX} or less")


def _attributes(row: Row) -> dict[str, str | int]:
    """Further columns of the row, with the names of the file; unknown values are omitted."""
    attributes: dict[str, str | int] = {}
    for column, cell in row.values.items():
        value = known(cell)
        if column in _NOT_ATTRIBUTES or value is None:
            continue
        is_years = column == "age" and value.isascii() and value.isdigit() and len(value) <= 3
        attributes[column] = int(value) if is_years else value
    return attributes


def _list(cell: str) -> list[str]:
    return [member.strip() for member in cell.split(",")] if cell else []
