"""Parses the cells of a .pb file. Each function raises a Fault with the line and the expected value."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal

from api.imports.errors import Fault
from api.kernel.dates import YEAR_MAX, YEAR_MIN, check_year
from api.kernel.texts import joined_lines

# enough digits for any election; int() would also accept underscores, digits of other scripts and 4,300 digits
_WHOLE = re.compile(r"-?[0-9]{1,12}")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,20})?")
_DAY = re.compile(r"(?P<day>[0-9]{1,2})\.(?P<month>[0-9]{1,2})\.(?P<year>[0-9]{4})")
_ISO_DAY = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})")
_YEAR = re.compile(r"[0-9]{4}")
_UNKNOWN = frozenset({"", "none", "null", "nan"})


def known(cell: str) -> str | None:
    """The value, or None if the cell marks it as unknown (empty, None, null, nan)."""
    return None if cell.casefold() in _UNKNOWN else cell


def whole(cell: str, what: str, line: int, *, least: int | None = None) -> int:
    """A whole number, at least `least`.

    Raises:
        Fault: it is not a whole number, or is smaller.
    """
    expected = "a whole number" if least is None else f"a whole number, {least} or more"
    if not _WHOLE.fullmatch(cell):
        raise Fault(line, f"{what} is {cell!r}, which is not a whole number", expected)
    number = int(cell)
    if least is not None and number < least:
        reason = f"{what} is {number}, which is negative" if least == 0 else f"{what} is {number}, less than {least}"
        raise Fault(line, reason, expected)
    return number


def money(cell: str, what: str, line: int) -> Decimal:
    """An amount of money, 0 or more, rounded to hundredths (half to even).

    Raises:
        Fault: it is not a plain decimal number, or is negative.
    """
    expected = "a number such as 120000 or 120000.50, 0 or more"
    if not _DECIMAL.fullmatch(cell):
        raise Fault(line, f"{what} is {cell!r}, which is not a number", expected)
    amount = Decimal(cell)
    if amount < 0:
        raise Fault(line, f"{what} is {cell}, which is negative", expected)
    return amount.quantize(Decimal("0.01"))


def degrees(cell: str | None, what: str, line: int, *, most: int) -> float | None:
    """A latitude or longitude in degrees, from -`most` to `most`; None if unknown.

    Raises:
        Fault: it is not a plain decimal number, or is out of range.
    """
    if cell is None:
        return None
    if not _DECIMAL.fullmatch(cell) or abs(number := float(cell)) > most:
        raise Fault(line, f"{what} is {cell!r}", f"degrees from -{most} to {most}, with a decimal point, or nothing")
    return number


def names(cell: str | None) -> tuple[str, ...]:
    """The members of a comma-separated list, each once, in order, without unknown values."""
    members = (known(joined_lines(member.strip())) for member in (cell or "").split(","))
    return tuple(dict.fromkeys(member for member in members if member is not None))


def day(cell: str, what: str, line: int, *, ends_year: bool) -> date:
    """A date: 6.09.2019, 06.09.2019 or 2019-09-06. A year alone is its first day or, with `ends_year`, its last.

    Raises:
        Fault: it is in none of these formats, or in a year that no election can have.
    """
    found = _date(cell, ends_year=ends_year)
    if found is None:
        reason = f"{what} is {cell!r}, which is not a date"
        raise Fault(line, reason, "a date such as 25.09.2019 or 2019-09-25, or a year such as 2019")
    try:
        return check_year(found)
    except ValueError as error:
        raise Fault(
            line,
            f"{what} is {cell!r}, which is in the year {found.year}",
            f"a date in the years {YEAR_MIN} to {YEAR_MAX}",
        ) from error


def _date(cell: str, *, ends_year: bool) -> date | None:
    try:
        if _YEAR.fullmatch(cell):
            return date(int(cell), 12, 31) if ends_year else date(int(cell), 1, 1)
        if match := _DAY.fullmatch(cell) or _ISO_DAY.fullmatch(cell):
            return date(int(match["year"]), int(match["month"]), int(match["day"]))
    except ValueError:
        return None  # such as 31.09.2019 or the year 0
    return None
