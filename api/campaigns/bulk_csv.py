"""Items of a bulk command as CSV. Errors state line and column."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.campaigns.bulk import ITEMS_MAX, BulkItem
from api.kernel.errors import InvalidInput

COLUMNS = ("campaign_id", "user_id", "email", "kind", "coins", "reason")
SEPARATORS = ",;\t"
ERRORS_MAX = 20

_ITEMS = TypeAdapter(list[BulkItem])
_SEPARATOR_LINE = re.compile(r"sep=(.)\r?\n", re.IGNORECASE)
# with the decimals that spreadsheets add
_WHOLE_NUMBER = re.compile(r"([+-]?\d{1,18})(?:[.,]0+)?")
_MINUS_SIGNS = str.maketrans({"\N{MINUS SIGN}": "-"})


def read_items(body: bytes) -> list[BulkItem]:
    """The items of a CSV document in UTF-8, as spreadsheets save it; an empty field has no value.

    Fields are separated by commas, semicolons or tabs. Columns are in any order, their names in any case. Rows without
    values are skipped, and empty fields after the last column.

    Raises:
        InvalidInput: it is not such a document, or a field is not valid. The first 20 errors are listed.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        msg = f"line {line}: not UTF-8."
        raise InvalidInput(msg) from error
    declared = _SEPARATOR_LINE.match(text)
    skipped = 1 if declared else 0
    if declared:
        text = text[declared.end() :]
    first = text.partition("\n")[0]
    separator = declared[1] if declared else max(SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    rows: list[dict[str, Any]] = []
    lines: list[int] = []
    try:
        columns = _columns(next(reader, []), 1 + skipped)
        for given in reader:
            line = reader.line_num + skipped
            fields = [field.strip() for field in given]
            if not any(fields):
                continue
            if len(fields) < len(columns) or any(fields[len(columns) :]):
                msg = f"line {line}: {len(fields)} fields; there must be {len(columns)}."
                raise InvalidInput(msg)
            if len(rows) == ITEMS_MAX:
                msg = f"line {line}: a request has at most {ITEMS_MAX:,} items."
                raise InvalidInput(msg)
            rows.append({name: _value(name, field) for name, field in zip(columns, fields, strict=False) if field})
            lines.append(line)
    except csv.Error as error:
        msg = f"line {reader.line_num + skipped}: {error}."
        raise InvalidInput(msg) from error
    if not rows:
        msg = f"line {2 + skipped}: there is no item after the header."
        raise InvalidInput(msg)
    try:
        return _ITEMS.validate_python(rows)
    except ValidationError as error:
        found = [
            # an error of the whole item is about who the member is
            {"line": lines[int(row)], "column": str(column[0]) if column else "user_id", "problem": wrong["msg"]}
            for wrong in error.errors(include_url=False, include_input=False, include_context=False)
            for row, *column in [wrong["loc"]]
        ]
        named = "; ".join(f"line {e['line']}, column {e['column']}: {e['problem']}" for e in found[:ERRORS_MAX])
        msg = named if len(found) <= ERRORS_MAX else f"{named}; and {len(found) - ERRORS_MAX} more"
        raise InvalidInput(msg, errors=found[:ERRORS_MAX]) from error


def _columns(header: list[str], line: int) -> list[str]:
    """The names of the columns, without the empty ones at the end.

    Raises:
        InvalidInput: a column is unknown, is there twice, or is missing.
    """
    names = [name.strip().lower() for name in header]
    while names and not names[-1]:
        names.pop()
    given = set(names)
    is_known = given <= set(COLUMNS) and len(given) == len(names)
    if not is_known or "campaign_id" not in given or given.isdisjoint({"user_id", "email"}):
        msg = (
            f"line {line}: the header is {','.join(names)!r}; it must have campaign_id, user_id or email, and may have "
            "kind, coins and reason, separated by commas, semicolons or tabs."
        )
        raise InvalidInput(msg)
    return names


def _value(column: str, field: str) -> str | int:
    """The value of a field; a whole number in a numeric column."""
    if column == "coins" and (number := _WHOLE_NUMBER.fullmatch(field.translate(_MINUS_SIGNS))):
        return int(number[1])
    return field
