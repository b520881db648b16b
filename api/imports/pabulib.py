"""Parses a participatory-budgeting election in Pabulib's format (https://pabulib.org/format).

`docs/pabulib.md` documents the mapping of each value to the database.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from decimal import Decimal

from api.imports.ballots import Votes, read_votes
from api.imports.elections import Defaults, Election
from api.imports.errors import Fault, MalformedElection
from api.imports.meta import Meta
from api.imports.projects import read_projects
from api.imports.sections import read_sections

_NO_DEFAULTS = Defaults()


def parse_election(
    raw: bytes, file_name: str, *, defaults: Defaults = _NO_DEFAULTS, accept_counts: bool = False
) -> Election:
    """The election in a file's bytes.

    `defaults` supply what META leaves out. Ballots that violate a limit of META are kept or left out, as the published totals
    count them; the result describes them as `irregular`. With `accept_counts`, totals (num_projects, num_votes, a project's
    votes and score) may differ from the rows; the result lists them as `differences`.

    Raises:
        MalformedElection: with all faults of the rows, or the one that prevents reading them.
    """
    try:
        election, meta, votes = _read(raw, file_name, defaults)
    except Fault as fault:
        raise MalformedElection(file_name, [fault]) from fault
    if votes.irregular:
        return _with_irregular(election, meta, votes)
    differences = tuple(_differences(election, meta))
    if differences and not accept_counts:
        raise MalformedElection(file_name, differences)
    return replace(election, differences=differences) if differences else election


def _read(raw: bytes, file_name: str, defaults: Defaults) -> tuple[Election, Meta, Votes]:
    """The election with all its ballots.

    Raises:
        Fault: a section cannot be read.
        MalformedElection: rows are invalid.
    """
    sections = read_sections(raw)
    meta = Meta(sections["META"], file_name, defaults)
    projects, faults = read_projects(sections["PROJECTS"])
    if meta.faults or faults:
        # ballots that name an invalid project would be refused too; only the cause is reported
        raise MalformedElection(file_name, _in_order([*meta.faults, *faults]))
    rules = meta.rules(len(projects))
    costs = {project.ref: project.cost or Decimal(0) for project in projects}
    votes = read_votes(sections["VOTES"], meta.kind, rules, costs)
    if votes.faults:
        raise MalformedElection(file_name, _in_order([*votes.faults, *votes.irregular]))
    election = Election(
        file_name=file_name,
        sha256=hashlib.sha256(raw).digest(),
        meta=meta.values,
        supplied=meta.supplied,
        kind=meta.kind,
        budget=meta.budget,
        first_day=meta.first_day,
        last_day=meta.last_day,
        rules=rules,
        projects=tuple(projects),
        ballots=votes.ballots,
        has_outcome="selected" in sections["PROJECTS"].columns,
    )
    return election, meta, votes


def _in_order(faults: list[Fault]) -> list[Fault]:
    return sorted(faults, key=lambda fault: fault.line)


def _with_irregular(election: Election, meta: Meta, votes: Votes) -> Election:
    """The election with or without the ballots that violate a limit, whichever the published totals agree with.

    Raises:
        MalformedElection: they agree with neither, or nothing is published.
    """
    lines = {fault.line for fault in votes.irregular}
    regular = tuple(ballot for ballot in election.ballots if ballot.line not in lines)
    has_totals = meta.num_votes is not None or any(
        total is not None for project in election.projects for total in (project.votes, project.score)
    )
    for ballots, is_counted in ((election.ballots, True), (regular, False)):
        candidate = replace(election, ballots=ballots, irregular=votes.irregular, irregular_counted=is_counted)
        if ballots and has_totals and not _differences(candidate, meta):
            return candidate
    why = (
        "the published totals agree neither with nor without such ballots"
        if has_totals
        else "no published total shows whether such ballots count"
    )
    faults = [Fault(fault.line, f"{fault.reason}; {why}", fault.expected) for fault in votes.irregular]
    raise MalformedElection(election.file_name, faults)


def _differences(election: Election, meta: Meta) -> list[Fault]:
    """Totals that differ from the rows, in the file's order."""
    found: list[Fault] = []

    def compare(line: int, what: str, stated: int | None, counting: str, counted: int) -> None:
        if stated is not None and stated != counted:
            expected = f"{counted} (a truncated file has fewer rows; --accept-counts imports the rows as they are)"
            found.append(Fault(line, f"{what} is {stated}, but {counting} {counted}", expected))

    if meta.num_projects is not None:
        line = meta.line("num_projects")
        compare(line, "num_projects", meta.num_projects, "the rows of PROJECTS are", len(election.projects))
    if meta.num_votes is not None:
        compare(meta.line("num_votes"), "num_votes", meta.num_votes, "the rows of VOTES are", len(election.ballots))
    for project in election.projects:
        ref, line = project.ref, project.line
        compare(
            line,
            f"votes of project {ref}",
            project.votes,
            "the times that ballots name it are",
            election.times_named[ref],
        )
        compare(line, f"score of project {ref}", project.score, "the points on ballots sum to", election.coins[ref])
    return found
