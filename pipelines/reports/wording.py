"""How numbers, dates and people's texts are written in a report.

Texts that people wrote are data. What is done here keeps a page whole (no control characters, no direction overrides, no
towers of accents); it is not what keeps them from being run: the PDF gets them as JSON strings and the
workbook as string cells, so nothing in them is ever read as markup, link or formula.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date, datetime
from decimal import Decimal
from typing import Final

NOT_IN_FILE: Final = "not in the file"
UNKNOWN: Final = "not known"
UNDRAWN: Final = "\u25af"
"""Stands in the PDF for characters that the fonts inside Typst do not have (emoji, Chinese and the like)."""

_MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip  # strftime's would follow the process's locale
_ELLIPSIS: Final = "\u2026"
_MARKS_MAX: Final = 4
_FORMATS_KEPT: Final = "\u200c"  # the zero-width non-joiner, which Persian is spelt with
_DRAWN: Final = (
    (0x0020, 0x007E),  # printable ASCII
    (0x00A0, 0x04FF),  # Latin, phonetics, combining marks, Greek, Cyrillic
    (0x0531, 0x0556),  # Armenian
    (0x0561, 0x0587),
    (0x0591, 0x05F4),  # Hebrew
    (0x060C, 0x060C),  # Arabic
    (0x061B, 0x061B),
    (0x061F, 0x061F),
    (0x0621, 0x063A),
    (0x0640, 0x0655),
    (0x0660, 0x066D),
    (0x0679, 0x0679),  # letters of Persian and Urdu
    (0x067E, 0x067E),
    (0x0686, 0x0686),
    (0x0698, 0x0698),
    (0x06A9, 0x06A9),
    (0x06AF, 0x06AF),
    (0x06CC, 0x06CC),
    (0x1E00, 0x1EFF),  # Vietnamese and others
    (0x1F00, 0x1FFE),  # Greek with accents
    (0x200C, 0x200C),
    (0x2010, 0x2027),  # dashes, quotation marks, bullets
    (0x2030, 0x203E),
    (0x2070, 0x209C),  # raised and lowered digits
    (0x20A0, 0x20BF),  # currencies
    (0x2100, 0x211E),
    (0x2126, 0x2151),
    (0x2153, 0x2184),  # fractions, Roman numerals
    (0x2190, 0x23CE),  # arrows, mathematics
    (0x2500, 0x25FF),  # shapes
    (0xFB00, 0xFB06),  # ligatures
)


def plain(text: str, length_max: int) -> str:
    """`text` on one line, in NFC, without control characters, and cut with an ellipsis past `length_max` characters."""
    kept = (_kept(char) for char in unicodedata.normalize("NFC", text))
    line = _few_marks(" ".join("".join(kept).split()))
    if len(line) <= length_max:
        return line
    end = length_max - 1
    while end > 1 and unicodedata.combining(line[end]):
        end -= 1
    return line[:end].rstrip() + _ELLIPSIS


def title(text: str, length_max: int) -> str:
    """A title as :func:`plain` writes it, or words that say that there is none."""
    return plain(text, length_max) or "(no title)"


def drawable(text: str, length_max: int) -> str:
    """`text` as the PDF's fonts can draw it: :func:`plain`, and :data:`UNDRAWN` for a run of what they lack."""
    line = "".join(char if _is_drawn(char) else UNDRAWN for char in plain(text, length_max))
    return re.sub(f"{UNDRAWN}{{2,}}", UNDRAWN, line)


def count(number: float) -> str:
    """A whole number with a comma at each thousand; a part of one is kept to one decimal."""
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun: "1 idea", "2 ideas"."""
    return f"{count(number)} {one if number == 1 else many}"


def percent(fraction: float) -> str:
    """A fraction as percent with one decimal; only what is exactly 0 or 1 reads as 0% or 100%."""
    if fraction in (0, 1):
        return f"{fraction:.0%}"
    shown = f"{fraction * 100:,.1f}"
    if shown in ("0.0", "-0.0"):
        return "under 0.1%" if fraction > 0 else "just below 0%"
    if shown == "100.0":
        return "over 99.9%" if fraction < 1 else "just over 100%"
    return f"{shown.removesuffix('.0')}%".replace("-", "\u2212")


def points(difference: float) -> str:
    """A difference of two fractions in percentage points, with its sign."""
    shown = f"{abs(difference) * 100:.1f}".removesuffix(".0")
    if shown == "0":
        return "no change" if difference == 0 else f"{_sign(difference)}<0.1 points"
    return f"{_sign(difference)}{shown} {'point' if shown == '1' else 'points'}"


def signed(number: float) -> str:
    """A count's change with its sign."""
    return "no change" if number == 0 else f"{_sign(number)}{count(abs(number))}"


def amount(number: Decimal | float) -> str:
    """An amount of money without its currency; decimals only where there are some."""
    return f"{number:,.2f}".removesuffix(".00").replace("-", "\u2212")


def money(number: Decimal | float, currency: str | None) -> str:
    """An amount with its currency behind it. Without a currency it says so."""
    return f"{amount(number)} {currency}" if currency else f"{amount(number)} (currency {UNKNOWN})"


def day(moment: date | datetime) -> str:
    """A day: "6 September 2019"."""
    return f"{moment.day} {_MONTHS[moment.month - 1]} {moment.year}"


def month(moment: date | datetime) -> str:
    """A month's name in three letters."""
    return _MONTHS[moment.month - 1][:3]


def minute(moment: datetime) -> str:
    """A moment to the minute. `moment` is in UTC."""
    return f"{day(moment)}, {moment:%H:%M} UTC"


def span(start: date | datetime | None, end: date | datetime | None) -> str | None:
    """Two days as a span, saying which of them is missing; None when both are."""
    if start is None and end is None:
        return None
    if start is None or end is None:
        return f"until {day(end)}" if end else f"since {day(start)}" if start else None
    if (start.year, start.month, start.day) == (end.year, end.month, end.day):
        return day(end)
    if start.year == end.year:
        first = f"{start.day}" if start.month == end.month else f"{start.day} {_MONTHS[start.month - 1]}"
        return f"{first} \u2013 {day(end)}"
    return f"{day(start)} \u2013 {day(end)}"


def _kept(char: str) -> str:
    kind = unicodedata.category(char)
    if kind in ("Cc", "Zl", "Zp"):
        return " "
    if kind == "Cs":
        return "\ufffd"
    if kind == "Cf":  # direction overrides would reach into the text behind them
        return char if char in _FORMATS_KEPT else ""
    return char


def _few_marks(line: str) -> str:
    """Without the marks past the fourth on one letter, which would climb into the lines above."""
    kept: list[str] = []
    marks = 0
    for char in line:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= _MARKS_MAX:
            kept.append(char)
    return "".join(kept)


def _is_drawn(char: str) -> bool:
    point = ord(char)
    return any(first <= point <= last for first, last in _DRAWN)


def _sign(number: float) -> str:
    return "+" if number > 0 else "\u2212"
