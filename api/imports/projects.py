"""Parses the section PROJECTS: projects with their cost and published result."""

from __future__ import annotations

from collections.abc import Mapping

from api.imports.cells import degrees, known, money, names, whole
from api.imports.elections import Project
from api.imports.errors import Fault
from api.imports.sections import Row, Table
from api.kernel.texts import joined_lines

_PLACE_COLUMNS = ("subunit", "district", "neighborhood")
_TAG_LENGTH_MAX = 200
# 1: selected by the rule; 0: not selected; 2 and 3: special cases that the file's comment explains
_SELECTED = ("0", "1", "2", "3")


def read_projects(table: Table) -> tuple[list[Project], list[Fault]]:
    """The projects, and the faults of invalid rows.

    Raises:
        Fault: PROJECTS is empty, or lacks a column that it needs.
    """
    for column in ("project_id", "cost"):
        if column not in table.columns:
            raise Fault(table.header_line, f"PROJECTS has no column {column!r}", "columns project_id and cost")
    if not (table.rows or table.faults):
        raise Fault(table.header_line, "PROJECTS contains no project", "one row per project")
    projects: list[Project] = []
    faults = list(table.faults)
    line_of: dict[str, int] = {}
    for row in table.rows:
        try:
            projects.append(_project(row, line_of))
        except Fault as fault:
            faults.append(fault)
    return projects, faults


def _project(row: Row, line_of: dict[str, int]) -> Project:
    values, line = row.values, row.line
    ref = _ref(row, line_of)
    selected = _find(values, "selected")
    if selected is not None and selected not in _SELECTED:
        raise Fault(line, f"selected is {selected!r}", "1 (selected), 0 (not), or 2 or 3 (see the file's comment)")
    categories = names(_find(values, "category"))
    targets = names(_find(values, "target") or _find(values, "beneficiaries"))
    places = tuple(dict.fromkeys(joined_lines(place) for column in _PLACE_COLUMNS if (place := _find(values, column))))
    for tag in (*categories, *targets, *places):
        if len(tag) > _TAG_LENGTH_MAX:
            raise Fault(line, f"the tag {tag[:40]!r}... has {len(tag)} characters", f"at most {_TAG_LENGTH_MAX}")
    cost, votes, score = _find(values, "cost"), _find(values, "votes"), _find(values, "score")
    return Project(
        line=line,
        ref=ref,
        title=joined_lines(_find(values, "name") or f"Project {ref}"),
        description=_find(values, "description") or "",
        cost=None if cost is None else money(cost, "cost", line),
        categories=categories,
        targets=targets,
        places=places,
        latitude=degrees(_find(values, "latitude"), "latitude", line, most=90),
        longitude=degrees(_find(values, "longitude"), "longitude", line, most=180),
        selected=None if selected is None else int(selected),
        votes=None if votes is None else whole(votes, "votes", line, least=0),
        score=None if score is None else whole(score, "score", line, least=0),
    )


def _ref(row: Row, line_of: dict[str, int]) -> str:
    ref = row.values["project_id"]
    if not ref or "," in ref:
        reason = f"project_id {ref!r} has a comma" if ref else "the project has no project_id"
        raise Fault(row.line, reason, "an id without commas, since votes list ids separated by commas")
    if ref in line_of:
        raise Fault(row.line, f"project {ref} is already on line {line_of[ref]}", "each project once")
    line_of[ref] = row.line
    return ref


def _find(values: Mapping[str, str], column: str) -> str | None:
    return known(values[column]) if column in values else None
