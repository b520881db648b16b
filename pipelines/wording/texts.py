"""User-written texts as a single line.

The functions remove control characters, direction overrides and excess combining marks. They do not escape anything:
HTML is escaped where it is written, the PDF gets texts as JSON strings, the workbook as string cells.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_ELLIPSIS: Final = "\u2026"
_MARKS_MAX: Final = 4
_FORMATS_KEPT: Final = "\u200c"  # the zero-width non-joiner, part of Persian spelling
_BREAKING_SPACES: Final = re.compile(r"[^\S\u00a0]+")


def plain(text: str, length_max: int) -> str:
    """The text on one line, in NFC, without control characters, at most `length_max` characters long.

    A longer text is cut and ends with an ellipsis.
    """
    kept = "".join(_kept(char) for char in unicodedata.normalize("NFC", text))
    line = _limit_marks(_BREAKING_SPACES.sub(" ", kept).strip())
    if len(line) <= length_max:
        return line
    end = length_max - 1
    while end > 1 and unicodedata.combining(line[end]):
        end -= 1
    return line[:end].rstrip() + _ELLIPSIS


def title(text: str, length_max: int) -> str:
    """A title as from :func:`plain`, or "(no title)"."""
    return plain(text, length_max) or "(no title)"


def shortened(text: str, length_max: int) -> str:
    """The text on one line, cut between words where it is longer than `length_max` characters."""
    line = " ".join(text.split())
    if len(line) <= length_max:
        return line
    cut = line[: length_max - 1]
    at = cut.rfind(" ")
    return f"{cut[:at] if at > length_max * 2 // 3 else cut}{_ELLIPSIS}"


def _kept(char: str) -> str:
    kind = unicodedata.category(char)
    if kind in ("Cc", "Zl", "Zp"):
        return " "
    if kind == "Cs":
        return "\ufffd"
    if kind == "Cf":  # a direction override would also change the text after it
        return char if char in _FORMATS_KEPT else ""
    return char


def _limit_marks(line: str) -> str:
    """The line with at most four combining marks per letter; more would overlap the lines above."""
    kept: list[str] = []
    marks = 0
    for char in line:
        marks = marks + 1 if unicodedata.category(char) in ("Mn", "Me") else 0
        if marks <= _MARKS_MAX:
            kept.append(char)
    return "".join(kept)
