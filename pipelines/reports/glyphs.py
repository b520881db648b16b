"""The characters that the PDF's fonts can draw."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from pipelines import wording

UNDRAWN: Final = "\u25af"
"""Replaces characters that the fonts inside Typst do not have (emoji, Chinese and others)."""

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


_SCRIPTS: Final = (  # the start of a character's name in Unicode
    ("CJK", "Chinese"),
    ("HIRAGANA", "Japanese"),
    ("KATAKANA", "Japanese"),
    ("HALFWIDTH KATAKANA", "Japanese"),
    ("IDEOGRAPHIC", "Chinese"),
    ("FULLWIDTH", "Chinese"),
    ("HANGUL", "Korean"),
    ("ZERO WIDTH", "emoji and symbols"),
    ("VARIATION SELECTOR", "emoji and symbols"),
    ("EMOJI", "emoji and symbols"),
)
_SYMBOLS: Final = frozenset({"So", "Sk", "Sm", "Sc", "Co", "Cn"})


def drawable(text: str, length_max: int) -> str:
    """The text as from :func:`pipelines.wording.plain`, with :data:`UNDRAWN` for each run of missing characters."""
    line = "".join(char if _is_drawn(char) else UNDRAWN for char in wording.plain(text, length_max))
    return re.sub(f"{UNDRAWN}{{2,}}", UNDRAWN, line)


def missing_scripts(text: str) -> frozenset[str]:
    """The scripts of the text's missing characters: Chinese, Thai, emoji and others."""
    return frozenset(_script(char) for char in wording.plain(text, len(text) + 1) if not _is_drawn(char))


def _script(char: str) -> str:
    if unicodedata.category(char) in _SYMBOLS:
        return "emoji and symbols"
    name = unicodedata.name(char, "")
    for start, script in _SCRIPTS:
        if name.startswith(start):
            return script
    return name.partition(" ")[0].capitalize() or "unknown characters"


def _is_drawn(char: str) -> bool:
    point = ord(char)
    return any(first <= point <= last for first, last in _DRAWN)
