"""Items of a bulk command as CSV. Errors state line and column."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from api.campaigns.bulk import ITEMS_MAX, BulkItem
from api.kernel.errors import InvalidInput

COLUMNS = ("campaign_id", "user_id", "kind", "coins", "reason")
ERRORS_MAX = 20

_ITEMS = TypeAdapter(list[BulkItem])
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,18}")


def read_items(body: bytes) -> list[BulkItem]:
    """The items of a CSV document in UTF-8; an empty field has no value.

    Raises:
        InvalidInput: it is not such a document, or a field is not valid. The first 20 errors are listed.
    """
    try:
        reader = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        header = tuple(name.strip() for name in next(reader, []))
        if header != COLUMNS:
            msg = f"line 1: the header is {','.join(header)!r}; it must be {','.join(COLUMNS)!r}."
            raise InvalidInput(msg)
        rows: list[dict[str, Any]] = []
        lines: list[int] = []
        for fields in reader:
            if not fields:
                continue
            if len(fields) != len(COLUMNS):
                msg = f"line {reader.line_num}: {len(fields)} fields; there must be {len(COLUMNS)}."
                raise InvalidInput(msg)
            if len(rows) == ITEMS_MAX:
                msg = f"line {reader.line_num}: a request has at most {ITEMS_MAX:,} items."
                raise InvalidInput(msg)
            rows.append(
                {name: _value(name, field) for name, field in zip(COLUMNS, fields, strict=True) if field.strip()}
            )
            lines.append(reader.line_num)
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        msg = f"line {line}: not UTF-8."
        raise InvalidInput(msg) from error
    except csv.Error as error:
        msg = f"line {reader.line_num}: {error}."
        raise InvalidInput(msg) from error
    if not rows:
        msg = "line 2: there is no item after the header."
        raise InvalidInput(msg)
    try:
        return _ITEMS.validate_python(rows)
    except ValidationError as error:
        found = [
            {"line": lines[int(wrong["loc"][0])], "column": str(wrong["loc"][1]), "problem": wrong["msg"]}
            for wrong in error.errors(include_url=False, include_input=False, include_context=False)
        ]
        named = "; ".join(f"line {e['line']}, column {e['column']}: {e['problem']}" for e in found[:ERRORS_MAX])
        msg = named if len(found) <= ERRORS_MAX else f"{named}; and {len(found) - ERRORS_MAX} more"
        raise InvalidInput(msg, errors=found[:ERRORS_MAX]) from error


def _value(column: str, field: str) -> str | int:
    """The value of a field; a whole number in a numeric column."""
    field = field.strip()
    return int(field) if column == "coins" and _WHOLE_NUMBER.fullmatch(field) else field
