"""Reads rosters: JSON, and CSV as spreadsheets and personnel systems save it. Errors state line and column."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, ValidationError

from api.auth.errors import BadEmail
from api.auth.rosters.people import PEOPLE_MAX, Roster, RosterPerson, Row
from api.auth.schemas import EmailText
from api.auth.service import check_email
from api.kernel.errors import InvalidInput

SEPARATORS = ",;\t"
ERRORS_MAX = 20
REQUIRED = ("name", "email")
COLUMNS = (*REQUIRED, "department", "external_id", "active")
_BETWEEN_WORDS = re.compile(r"[\s_-]+")
_YES_NO = {
    **dict.fromkeys(("true", "yes", "y", "1", "active", "tak", "prawda"), True),
    **dict.fromkeys(("false", "no", "n", "0", "inactive", "nie", "fałsz"), False),
}  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """What is wrong in a field of the file."""

    line: int
    column: str
    problem: str


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
    """The people of a CSV document in UTF-8, UTF-16 with a byte order mark, or Windows-1250.

    Fields are separated by commas, semicolons or tabs. Columns are in any order, their names in any case. Blank rows are
    skipped. An empty field has no value.

    Raises:
        InvalidInput: it is not such a document, or a field is not valid. The first 20 errors are listed.
    """
    text = _decode(body)
    first = text.partition("\n")[0]
    separator = max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    rows: list[Row] = []
    problems: list[Problem] = []
    try:
        columns = _columns(next(reader, []))
        for given in reader:
            line = reader.line_num
            fields = [field.strip() for field in given]
            if not any(fields):
                continue
            if len(fields) < len(columns) or any(fields[len(columns) :]):
                msg = f"line {line}: {len(fields)} fields; there must be {len(columns)}."
                raise InvalidInput(msg)
            if len(rows) + len(problems) >= PEOPLE_MAX:
                msg = f"line {line}: a roster has at most {PEOPLE_MAX:,} people."
                raise InvalidInput(msg)
            person = _person(_values(dict(zip(columns, fields, strict=False))), line, problems)
            if person is not None:
                rows.append(Row(line, person))
    except csv.Error as error:
        msg = f"line {reader.line_num}: {error}."
        raise InvalidInput(msg) from error
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


def refusal(problems: Sequence[Problem]) -> InvalidInput:
    """The error with the first 20 problems."""
    shown = problems[:ERRORS_MAX]
    named = "; ".join(f"line {each.line}, column {each.column}: {each.problem}" for each in shown)
    more = f"; and {len(problems) - ERRORS_MAX} more" if len(problems) > ERRORS_MAX else ""
    return InvalidInput(named + more, errors=[vars(each) for each in shown])


def _decode(body: bytes) -> str:
    """The text. Windows-1250 has no mark, so it is what is not UTF-8.

    Raises:
        InvalidInput: it is none of the three encodings.
    """
    encodings = ["utf-16"] if body.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else ["utf-8-sig", "cp1250"]
    for encoding in encodings:
        try:
            text = body.decode(encoding)
        except UnicodeDecodeError as error:
            line = body.count(b"\n", 0, error.start) + 1
        else:
            if "\0" not in text:
                return text
            line = text.count("\n", 0, text.index("\0")) + 1
    msg = f"line {line}: the file is neither UTF-8 nor Windows-1250."
    raise InvalidInput(msg)


def _columns(header: list[str]) -> list[str]:
    """The names of the columns, without the empty ones at the end.

    Raises:
        InvalidInput: a column is unknown, is there twice, or is missing.
    """
    names = [_BETWEEN_WORDS.sub("_", name.strip().lower()) for name in header]
    while names and not names[-1]:
        names.pop()
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
