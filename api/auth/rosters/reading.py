"""Reads rosters: JSON, and CSV as spreadsheets and personnel systems save it. Errors state line and column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError

from api.auth.errors import BadEmail
from api.auth.rosters.people import PEOPLE_MAX, Roster, RosterPerson, Row
from api.auth.schemas import EmailText
from api.auth.service import check_email
from api.kernel.errors import InvalidInput
from api.kernel.spreadsheets import Problem, column_name, open_table, refusal

REQUIRED = ("name", "email")
COLUMNS = (*REQUIRED, "department", "external_id", "active")
_YES_NO = {
    **dict.fromkeys(("true", "yes", "y", "1", "active", "tak", "prawda"), True),
    **dict.fromkeys(("false", "no", "n", "0", "inactive", "nie", "fałsz"), False),
}  # fmt: skip


def _checked(email: str) -> str:
    try:
        return check_email(email)
    except BadEmail as error:
        raise ValueError(error.detail) from error


class _CheckedPerson(RosterPerson):
    """A person whose address is one. To check it takes far longer than all else, too long for the event loop."""

    email: Annotated[EmailText, AfterValidator(_checked)]


def read_roster(roster: Roster) -> list[Row]:
    """The people of a request, with their addresses checked. Takes 0.1 ms for each: do not call it in the event loop.

    Raises:
        InvalidInput: as :func:`read_rows`. The first person of a JSON document is line 1.
    """
    if roster.content is not None:
        return read_rows(roster.content)
    problems: list[Problem] = []
    rows = []
    for number, given in enumerate(roster.people, 1):
        person = _person(dict(given), number, problems)
        if person is not None:
            rows.append(Row(number, person))
    if problems:
        raise refusal(problems)
    return rows


def read_rows(body: bytes) -> list[Row]:
    """The people of a CSV document (:mod:`api.kernel.spreadsheets`).

    Columns are in any order, their names in any case. Blank rows are skipped. An empty field has no value.

    Raises:
        InvalidInput: it is not such a document, or a field is not valid. The first 20 errors are listed.
    """
    table = open_table(body)
    columns = _columns(table.header)
    rows: list[Row] = []
    problems: list[Problem] = []
    for line, fields in table.rows:
        if len(fields) < len(columns) or any(fields[len(columns) :]):
            msg = f"line {line}: {len(fields)} fields; there must be {len(columns)}."
            raise InvalidInput(msg)
        if len(rows) + len(problems) >= PEOPLE_MAX:
            msg = f"line {line}: a roster has at most {PEOPLE_MAX:,} people."
            raise InvalidInput(msg)
        person = _person(_values(dict(zip(columns, fields, strict=False))), line, problems)
        if person is not None:
            rows.append(Row(line, person))
    if problems:
        raise refusal(problems)
    if not rows:
        msg = "line 2: there is no person after the header."
        raise InvalidInput(msg)
    return rows


def find_repeated(rows: Sequence[Row]) -> list[Problem]:
    """The addresses and external ids that are in the roster twice."""
    problems = []
    for column in ("email", "external_id"):
        seen: dict[str, int] = {}
        for row in rows:
            value = getattr(row.person, column)
            if value is None:
                continue
            key = value.lower() if column == "email" else value
            if key in seen:
                problems.append(Problem(row.line, column, f"{value} is in line {seen[key]} too"))
            seen.setdefault(key, row.line)
    return problems


def _columns(header: list[str]) -> list[str]:
    """The names of the columns.

    Raises:
        InvalidInput: a column is unknown, is there twice, or is missing.
    """
    names = [column_name(name) for name in header]
    given = set(names)
    if not (given <= set(COLUMNS) and len(given) == len(names) and given.issuperset(REQUIRED)):
        msg = (
            f"line 1: the header is {','.join(names)!r}; it must have name and email, and may have department, external id "
            "and active, separated by commas, semicolons or tabs."
        )
        raise InvalidInput(msg)
    return names


def _values(row: dict[str, str]) -> dict[str, Any]:
    """The values of the fields that are not empty."""
    values: dict[str, Any] = {column: field for column, field in row.items() if field}
    if "active" in values:
        values["active"] = _YES_NO.get(values["active"].lower(), values["active"])
    return values


def _person(values: dict[str, Any], line: int, problems: list[Problem]) -> RosterPerson | None:
    """The person with these values; None if one is not valid, which is added to the problems."""
    try:
        return _CheckedPerson.model_validate(values)
    except ValidationError as error:
        problems += [
            Problem(line, str(each["loc"][0]), each["msg"].removeprefix("Value error, "))
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        return None
