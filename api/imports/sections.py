"""Splits a .pb file into its three tables, whose rows have line numbers.

The format: https://pabulib.org/format. UTF-8, three titled sections, each a table with a header row, values separated
by semicolons and quoted as in CSV (RFC 4180). Titles of sections and names of columns are read in any case. A row with text
after a closing quote is no valid CSV; its quotes are read as they are, if it then has the right number of values.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from api.imports.errors import Fault
from api.kernel.texts import normalise

TITLES = ("META", "PROJECTS", "VOTES")
_BOM = b"\xef\xbb\xbf"
# not those that are line breaks inside a value, such as a vertical tab
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f]")
_A_PB_FILE = "a Pabulib file: UTF-8 text that begins with a line META"

_QUOTED = 'a value with ; or " in it is enclosed in double quotes, and each " in it is doubled'
_IN_ORDER = "META, PROJECTS, VOTES, each once"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table: its first line (from 1) and its normalised values by column; "" if nothing visible is in a cell."""

    line: int
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A section: line of the header, columns in order and lower case, rows; `faults` are the errors of unreadable rows."""

    header_line: int
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    faults: tuple[Fault, ...]


def read_sections(raw: bytes) -> dict[str, Table]:
    """The tables META, PROJECTS and VOTES of a file's bytes.

    Raises:
        Fault: it is empty, not text, another kind of file, or lacks a section.
    """
    records = _records(_text(raw))
    if not records:
        raise Fault(1, "the file is empty", _A_PB_FILE)
    first = records[0]
    if _title(first.cells) != "META":
        shown = ";".join(first.cells)[:60]
        raise Fault(first.line, f"it begins with {shown!r}, so it is another kind of file", _A_PB_FILE)
    starts = [(at, title) for at, record in enumerate(records) if (title := _title(record.cells))]
    for (at, title), expected in zip(starts, TITLES, strict=False):
        if title != expected:
            raise Fault(records[at].line, f"found section {title} instead of {expected}", _IN_ORDER)
    last_line = records[-1].line
    if len(starts) < len(TITLES):
        missing = TITLES[len(starts)]
        raise Fault(last_line, f"the file ends without a section {missing}; it may be truncated", "the complete file")
    if len(starts) > len(TITLES):
        at, title = starts[len(TITLES)]
        raise Fault(records[at].line, f"a second section {title}", _IN_ORDER)
    ends = [at for at, _ in starts[1:]] + [len(records)]
    return {title: _table(title, records[at:end]) for (at, title), end in zip(starts, ends, strict=True)}


def _text(raw: bytes) -> str:
    body = raw.removeprefix(_BOM)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        before = body[: error.start].replace(b"\r\n", b"\n")
        if not before.lstrip().upper().startswith(b"META"):
            raise Fault(
                1, "it is not UTF-8 text and does not begin with META, so it is another kind of file", _A_PB_FILE
            ) from error
        line = before.count(b"\n") + 1
        column = len(before) - before.rfind(b"\n")
        reason = f"byte 0x{body[error.start]:02X} at column {column} is not UTF-8"
        raise Fault(line, reason, "the file saved as UTF-8 (often it is Windows-1250 or ISO 8859-2)") from error
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        raise Fault(line, f"it contains the control character U+{ord(control[0]):04X}", "text only")
    return text


@dataclass(slots=True)
class _Record:
    """A non-empty row: its first line, and its normalised cells.

    `quoting` is the fault of a row that is no valid CSV, whose cells are those between its semicolons.
    """

    line: int
    cells: list[str]
    quoting: Fault | None = None


class _Lines:
    """The lines of a text, which counts them and keeps those of the current record."""

    def __init__(self, text: str) -> None:
        # not str.splitlines, which would also split at characters such as U+2028 inside a value
        self._lines = iter(f"{line}\n" for line in text.split("\n"))
        self.number = 0
        self.record: list[str] = []

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        self.record.append(line)
        return line


def _records(text: str) -> list[_Record]:
    """The records of a text; a quoted value may contain line breaks."""
    lines = _Lines(text)
    records: list[_Record] = []
    while True:
        # a reader is not used any more after an error
        for record in _valid_records(lines):
            if any(record.cells):
                records.append(record)
            if record.quoting:
                break
        else:
            return records


def _valid_records(lines: _Lines) -> Iterator[_Record]:
    """The records up to the first that is no valid CSV, which is the last one.

    Raises:
        Fault: the end of a value cannot be found.
    """
    reader = csv.reader(lines, delimiter=";", skipinitialspace=True, strict=True)
    while True:
        lines.record.clear()
        line = lines.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            fault = Fault(line, _quoting(error), _QUOTED)
            if len(lines.record) > 1 or "expected after" not in str(error):
                raise fault from error
            yield _Record(line, [normalise(cell) for cell in lines.record[0].split(";")], fault)
            return
        yield _Record(line, [normalise(cell) for cell in cells])


def _quoting(error: csv.Error) -> str:
    if "unexpected end" in str(error):
        return "a value that begins here with a double quote has no closing double quote"
    if "expected after" in str(error):
        return "text follows the double quote that closes a value"
    return f"the row cannot be read ({error})"


def _title(cells: list[str]) -> str | None:
    title = cells[0].upper()
    return title if title in TITLES and not any(cells[1:]) else None


def _table(title: str, records: list[_Record]) -> Table:
    if len(records) < 2:
        raise Fault(records[0].line, f"section {title} has no rows", "a row with the names of its columns")
    header_line = records[1].line
    columns = tuple(name.casefold() for name in _without_empty_tail(records[1].cells))
    if "" in columns:
        raise Fault(header_line, f"a column of {title} has no name", "a name for each column")
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise Fault(header_line, f"{title} has two columns {twice!r}", "a different name for each column")
    rows, faults = [], []
    for record in records[2:]:
        line, cells = record.line, record.cells
        values = (
            cells if len(cells) <= len(columns) else cells[: len(columns)] + _without_empty_tail(cells[len(columns) :])
        )
        if len(values) == len(columns):
            rows.append(Row(line, dict(zip(columns, values, strict=True))))
        elif record.quoting:
            faults.append(record.quoting)
        else:
            expected = f"{len(columns)} values ({';'.join(columns)}); a value with ; in it is enclosed in double quotes"
            faults.append(Fault(line, f"{len(values)} values where {title} has {len(columns)} columns", expected))
    return Table(header_line, columns, tuple(rows), tuple(faults))


def _without_empty_tail(cells: list[str]) -> list[str]:
    while cells and not cells[-1]:
        cells = cells[:-1]
    return cells
