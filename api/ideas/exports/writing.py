"""The file of an export: its columns, and rows of ideas as CSV or as an Excel workbook.

A cell of CSV that a spreadsheet would evaluate as a formula begins with a quote. A workbook has texts as text cells, which
are never evaluated.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import xlsxwriter

from api.ideas.exports.schemas import ExportFormat
from pipelines.wording import CSV_START, WORKBOOK_OPTIONS, csv_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

COLUMNS: Final[Mapping[str, str]] = {
    "id": "id",
    "title": "title",
    "description": "description",
    "status": "status",
    "reason": "reason",
    "reason_code": "reason_code",
    "category": "category",
    "tags": "tags",
    "author": "author_name",
    "coins": "coins",
    "backers": "backers",
    "my_coins": "my_stake_coins",
    "latitude": "latitude",
    "longitude": "longitude",
    "version": "version",
    "submitted_at": "submitted_at",
    "status_changed_at": "status_changed_at",
    "source_ref": "source_ref",
}
"""The columns of the file, each with the field of an idea that it shows."""

_WIDTHS: Final = {"title": 40, "description": 60, "id": 38}
_WIDTH = 16
_LIST_SEPARATOR = ", "
_MOMENT_FIELDS: Final = frozenset({"submitted_at", "status_changed_at"})
_MOMENTS = "yyyy-mm-dd hh:mm:ss"


def write(format: ExportFormat, ideas: Iterable[Mapping[str, Any]]) -> bytes:  # noqa: A002 - the name in requests
    """The file with these ideas, which have the fields of :class:`api.ideas.schemas.IdeaRead` as in JSON."""
    rows = ([_value(field, idea[field]) for field in COLUMNS.values()] for idea in ideas)
    return _csv(rows) if format is ExportFormat.CSV else _xlsx(rows)


def _value(field: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if field in _MOMENT_FIELDS and value is not None else value


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    lines = ([_as_text(value) for value in row] for row in rows)
    return (CSV_START + csv_lines([list(COLUMNS)]) + csv_lines(lines)).encode()


def _xlsx(rows: Iterable[Sequence[Any]]) -> bytes:
    """A workbook with one sheet; it is written row by row, so that a large one does not need the memory of all its cells."""
    target = io.BytesIO()
    book = xlsxwriter.Workbook(target, {"constant_memory": True, **WORKBOOK_OPTIONS})
    sheet = book.add_worksheet("ideas")
    heading, moment = book.add_format({"bold": True}), book.add_format({"num_format": _MOMENTS})
    for column, name in enumerate(COLUMNS):
        sheet.set_column(column, column, _WIDTHS.get(name, _WIDTH))
        sheet.write_string(0, column, name, heading)
    sheet.freeze_panes(1, 0)
    for number, row in enumerate(rows, 1):
        for column, value in enumerate(row):
            if isinstance(value, datetime):
                sheet.write_datetime(number, column, value.astimezone(UTC).replace(tzinfo=None), moment)
            elif isinstance(value, int | float):
                sheet.write_number(number, column, value)
            elif value is not None:
                sheet.write_string(number, column, _as_text(value))
    book.close()
    return target.getvalue()


def _as_text(value: Any) -> Any:
    """A list as one text, and a time as RFC 3339 in UTC; other values as they are."""
    if isinstance(value, list):
        return _LIST_SEPARATOR.join(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return value if value is None or isinstance(value, int | float) else str(value)
