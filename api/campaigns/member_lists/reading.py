"""Reads lists of members: JSON, and CSV as spreadsheets save it. Errors state line and column, and stop no other line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from api.auth import service as auth
from api.auth.errors import BadEmail
from api.campaigns.member_lists.people import PEOPLE_MAX, Entry, MemberList
from api.campaigns.schemas import Attributes, Role
from api.kernel.errors import InvalidInput
from api.kernel.schemas import Schema
from api.kernel.spreadsheets import Problem, column_name, open_table
from api.kernel.texts import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

COLUMNS = ("name", "email", "role")
REQUIRED = "email"
COLUMN_LENGTH_MAX = 50
ATTRIBUTES_MAX = 20


@dataclass(frozen=True)
class ReadList:
    """The valid entries and the problems of the others, both in the order of the list.

    `attribute_columns` are the numbers and names of the columns of a file that are attributes.
    """

    entries: list[Entry]
    problems: list[Problem]
    attribute_columns: tuple[tuple[int, str], ...] = ()


def _checked(email: str) -> str:
    try:
        return auth.check_email(email)
    except BadEmail as error:
        raise ValueError(error.detail) from error


class _CheckedPerson(Schema):
    """A valid person."""

    name: Annotated[Line, Field(min_length=1, max_length=200)] | None = None
    email: Annotated[Line, Field(max_length=254), AfterValidator(_checked)]
    role: Role | None = None
    attributes: Attributes = Field({})


def read_list(people: MemberList) -> ReadList:
    """The people of a request. Takes 0.1 ms for each: do not call it in the event loop.

    Raises:
        InvalidInput: the file is no table, its header is wrong, or it is empty or too long.
    """
    if people.content is not None:
        return read_file(people.content)
    given: Iterator[_Given] = ((number, person.model_dump(), []) for number, person in enumerate(people.members, 1))
    return _read(given)


def read_file(body: bytes) -> ReadList:
    """The people of a CSV document (:mod:`api.kernel.spreadsheets`).

    The columns email, name and role are in any order, their names in any case; the other columns are attributes. Their names
    are in lower case, with words joined by underscores. Blank rows are skipped. An empty field has no value.

    Raises:
        InvalidInput: it is no such document, its header is wrong, or there is no person or more than 10,000.
    """
    table = open_table(body)
    columns = _columns(table.header)
    found = _read(_with_values(columns, table.rows))
    if not found.entries and not found.problems:
        msg = "line 2: there is no person after the header."
        raise InvalidInput(msg)
    return replace(
        found, attribute_columns=tuple((at, name) for at, name in enumerate(columns, 1) if name not in COLUMNS)
    )


def _columns(header: list[str]) -> list[str]:
    """The names of the columns.

    Raises:
        InvalidInput: there is no column with addresses, or a name is there twice, empty or too long.
    """
    names = [column_name(name) for name in header]
    if REQUIRED not in names:
        msg = (
            f"line 1: the header is {','.join(names)!r}; it must have email, and may have name, role and attributes, separated "
            "by commas, semicolons or tabs."
        )
        raise InvalidInput(msg)
    for number, name in enumerate(names, 1):
        if not 1 <= len(name) <= COLUMN_LENGTH_MAX:
            msg = f"line 1, column {number}: the name of a column has 1 to {COLUMN_LENGTH_MAX} characters."
            raise InvalidInput(msg)
        if name in names[: number - 1]:
            msg = f"line 1, column {number}: there are two columns {name}."
            raise InvalidInput(msg)
    if len(names) - len(set(COLUMNS) & set(names)) > ATTRIBUTES_MAX:
        msg = f"line 1: a member has at most {ATTRIBUTES_MAX} attributes."
        raise InvalidInput(msg)
    return names


_Given = tuple[int, dict[str, Any], list[Problem]]


def _with_values(columns: list[str], rows: Iterator[tuple[int, list[str]]]) -> Iterator[_Given]:
    """The values of each row that are not empty, and what is wrong with the row as a whole."""
    for line, fields in rows:
        if len(fields) < len(columns):
            missing = f"is missing: the line has {len(fields)} fields, and the header {len(columns)}"
            yield line, {}, [Problem(line, columns[len(fields)], missing)]
            continue
        if any(fields[len(columns) :]):
            more = f"the line has {len(fields)} fields, and the header {len(columns)}"
            yield line, {}, [Problem(line, str(len(columns) + 1), more)]
            continue
        values = {name: field for name, field in zip(columns, fields, strict=False) if field}
        known: dict[str, Any] = {name: values.pop(name) for name in COLUMNS if name in values}
        yield line, {**known, "attributes": values}, []


def _read(given: Iterator[_Given]) -> ReadList:
    entries: list[Entry] = []
    problems: list[Problem] = []
    lines: dict[str, int] = {}
    for number, (line, values, wrong) in enumerate(given, 1):
        if number > PEOPLE_MAX:
            msg = f"line {line}: a list has at most {PEOPLE_MAX:,} people."
            raise InvalidInput(msg)
        if wrong:
            problems += wrong
            continue
        person = _person(values, line, problems)
        if person is None:
            continue
        first = lines.setdefault(person.email.lower(), line)
        if first != line:
            problems.append(Problem(line, "email", f"{person.email} is in line {first} too"))
            continue
        entries.append(Entry(line, person.email, person.name, person.role, dict(person.attributes)))
    return ReadList(entries, problems)


def _person(values: dict[str, Any], line: int, problems: list[Problem]) -> _CheckedPerson | None:
    """The person with these values; None if one is not valid, which is added to the problems."""
    if isinstance(values.get("role"), str):
        values["role"] = values["role"].strip().lower() or None
    try:
        return _CheckedPerson.model_validate(values)
    except ValidationError as error:
        problems += [
            Problem(line, _column_of(each["loc"]), each["msg"].removeprefix("Value error, "))
            for each in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        return None


def _column_of(place: tuple[int | str, ...]) -> str:
    """The name of the column; for an attribute its own."""
    return str(place[1] if place[0] == "attributes" and len(place) > 1 else place[0])
