"""Cells of files that spreadsheets open: a text is never evaluated as a formula, and numbers stay numbers.

The workbook needs no mark, since xlsxwriter writes its texts as string cells. Tables of the dashboards offer no download
(`dashboards/.streamlit/config.toml`).
"""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

CSV_START: Final = "\ufeff"
"""The byte order mark at the start of a CSV file: without it Excel does not read the file as UTF-8."""

WORKBOOK_OPTIONS: Final = {
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}
"""Options of xlsxwriter by which texts stay texts."""

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def csv_cell(value: object) -> str:
    """A value as text; empty for None. A text that a spreadsheet would evaluate begins with a quote."""
    if value is None:
        return ""
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return str(value)


def csv_lines(rows: Iterable[Sequence[object]]) -> str:
    """Rows as lines of CSV (RFC 4180), each cell by :func:`csv_cell`."""
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows([csv_cell(value) for value in row] for row in rows)
    return buffer.getvalue()
