"""Reads tables as spreadsheets and personnel systems save them: CSV in several encodings and with several separators.

A document is UTF-8, UTF-16 with a byte order mark, or Windows-1250. Its fields are separated by commas, semicolons or tabs,
or as a first line such as `sep=;` says.
Errors state line and column.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SEPARATORS = ",;\t"
ERRORS_MAX = 20
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\r?\n", re.IGNORECASE)
_BETWEEN_WORDS = re.compile(r"[\s_-]+")


@dataclass(frozen=True)
class Problem:
    """What is wrong in a field of the document; in JSON the line is the number of the item."""

    line: int
    column: str
    problem: str


@dataclass(frozen=True)
class Table:
    """The header of a document, and its other rows: the line and the fields of each, without blank rows.

    Attributes:
        header: the names of the columns as they are written, without the empty ones at the end.
        rows: can be read once. Raises InvalidInput where the document is not CSV.
    """

    header: list[str]
    rows: Iterator[tuple[int, list[str]]]


def open_table(body: bytes) -> Table:
    """The table of a document. Fields have no white space at their ends.

    Raises:
        InvalidInput: it is in none of the three encodings, or its first row is not CSV.
    """
    text = _decode(body)
    declared = _SEPARATOR_LINE.match(text)
    if declared:
        text = text[declared.end() :]
    first = text.partition("\n")[0]
    separator = declared[1] if declared else max(SEPARATORS, key=first.count)
    rows = _rows(text, separator, skipped=1 if declared else 0)
    _, header = next(rows, (1, []))
    while header and not header[-1]:
        header.pop()
    return Table(header, ((line, fields) for line, fields in rows if any(fields)))


def column_name(written: str) -> str:
    """The name of a column by which it is known: in lower case, and words joined by underscores."""
    return _BETWEEN_WORDS.sub("_", written.strip().lower())


def refusal(problems: Sequence[Problem]) -> InvalidInput:
    """The error with the first 20 problems."""
    shown = problems[:ERRORS_MAX]
    named = "; ".join(f"line {each.line}, column {each.column}: {each.problem}" for each in shown)
    more = f"; and {len(problems) - ERRORS_MAX} more" if len(problems) > ERRORS_MAX else ""
    return InvalidInput(named + more, errors=[vars(each) for each in shown])


def _rows(text: str, separator: str, skipped: int) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    try:
        for fields in reader:
            yield reader.line_num + skipped, [field.strip() for field in fields]
    except csv.Error as error:
        msg = f"line {reader.line_num + skipped}: {error}."
        raise InvalidInput(msg) from error


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
