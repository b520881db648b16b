"""Parses a participatory-budgeting election in Pabulib's format (https://pabulib.org/format).

`docs/pabulib.md` documents the mapping of each value to the database.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from api.imports.ballots import read_ballots
from api.imports.elections import Election
from api.imports.errors import Fault, MalformedElection
from api.imports.meta import Meta
from api.imports.projects import read_projects
from api.imports.sections import read_sections


def parse_election(raw: bytes, file_name: str, *, accept_counts: bool = False) -> Election:
    """The election in a file's bytes.

    With `accept_counts`, totals (num_projects, num_votes, a project's votes and score) may differ from the rows; the
    result lists them as `differences`.

    Raises:
        MalformedElection: with all faults of the rows, or the one that prevents reading them.
    """
    try:
        election, meta, faults = _read(raw, file_name)
    except Fault as fault:
        raise MalformedElection(file_name, [fault]) from fault
    if election is None:
        raise MalformedElection(file_name, sorted(faults, key=lambda fault: fault.line))
    differences = tuple(_differences(election, meta))
    if differences and not accept_counts:
        raise MalformedElection(file_name, differences)
    return replace(election, differences=differences) if differences else election


def _read(raw: bytes, file_name: str) -> tuple[Election | None, Meta, list[Fault]]:
    """The election, or None and the faults of its rows."""
    sections = read_sections(raw)
    meta = Meta(sections["META"])
    projects, faults = read_projects(sections["PROJECTS"])
    if meta.faults or faults:
        # ballots that name an invalid project would be refused too; only the cause is reported
        return None, meta, meta.faults + faults
    rules = meta.rules(len(projects))
    costs = {project.ref: project.cost for project in projects}
    ballots, faults = read_ballots(sections["VOTES"], meta.kind, rules, costs)
    if faults:
        return None, meta, faults
    election = Election(
        file_name=file_name,
        sha256=hashlib.sha256(raw).digest(),
        meta=meta.values,
        kind=meta.kind,
        budget=meta.budget,
        first_day=meta.first_day,
        last_day=meta.last_day,
        rules=rules,
        projects=tuple(projects),
        ballots=tuple(ballots),
        has_outcome="selected" in sections["PROJECTS"].columns,
    )
    return election, meta, []


def _differences(election: Election, meta: Meta) -> list[Fault]:
    """Totals that differ from the rows, in the file's order."""
    found: list[Fault] = []

    def compare(line: int, what: str, stated: int | None, counting: str, counted: int) -> None:
        if stated is not None and stated != counted:
            expected = f"{counted} (a truncated file has fewer rows; --accept-counts imports the rows as they are)"
            found.append(Fault(line, f"{what} is {stated}, but {counting} {counted}", expected))

    compare(
        meta.line("num_projects"), "num_projects", meta.num_projects, "the rows of PROJECTS are", len(election.projects)
    )
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
