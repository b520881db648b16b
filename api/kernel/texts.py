"""The rule for all text that people write: titles, names, descriptions, reasons, and values of imported files.

A text is stored in Unicode's form NFC, so that equal words are equal bytes, and has at least one visible character. Invisible
format characters are removed, among them those that change the direction of other text. Joiners stay inside a word, where
they belong to the spelling of some languages and to emoji. Line and page separators become line breaks.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator

_LINE_BREAKS = re.compile(r"\r\n|[\r\v\f\x85\u2028\u2029]")
_IN_ONE_LINE = re.compile(r" *[\n\t]\s*")
_JOINERS = "\u200c\u200d"
# characters of these categories are blank, or only change the letter before them
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Zs", "Zl", "Zp", "Mn", "Mc", "Me"})
# blanks that Unicode classifies as letters or symbols: fillers of Hangul, the empty pattern of Braille
_BLANKS = "\u115f\u1160\u2800\u3164\uffa0"
# signs before or around a number in Arabic, Syriac and Kaithi: visible, although Unicode calls them formats
_VISIBLE_FORMATS = "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"


def normalise(text: str) -> str:
    """`text` as it is stored, without white space at its ends; "" if it has no visible character.

    It may contain line breaks and tabs.

    Raises:
        ValueError: it contains another control character, or half of a surrogate pair.
    """
    if text.isascii() and text.isprintable():
        return text.strip()
    composed = unicodedata.normalize("NFC", _LINE_BREAKS.sub("\n", text))
    for position, character in enumerate(composed, 1):
        if unicodedata.category(character) in {"Cc", "Cs"} and character not in "\n\t":
            msg = f"character {position} (U+{ord(character):04X}) is a control character"
            raise ValueError(msg)
    kept = "".join(
        character for at, character in enumerate(composed) if not _is_format(character) or _joins(composed, at)
    )
    return kept.strip() if any(map(_is_visible, kept)) else ""


def prose(text: str) -> str:
    """A normalised text of any number of lines; "" only if `text` is blank.

    Raises:
        ValueError: it consists of invisible characters, or :func:`normalise` refuses it.
    """
    normalised = normalise(text)
    if not normalised and text.strip():
        msg = "has no visible character"
        raise ValueError(msg)
    return normalised


def single_line(text: str) -> str:
    """As :func:`prose`, and on one line.

    Raises:
        ValueError: there is a line break or a tab, or :func:`prose` refuses it.
    """
    text = prose(text)
    if "\n" in text or "\t" in text:
        msg = "must be a single line without tabs"
        raise ValueError(msg)
    return text


def joined_lines(text: str) -> str:
    """A normalised text on one line: a line break or tab, with the white space around it, becomes a space."""
    return _IN_ONE_LINE.sub(" ", text)


def _is_format(character: str) -> bool:
    return unicodedata.category(character) == "Cf" and character not in _VISIBLE_FORMATS


def _joins(text: str, at: int) -> bool:
    """Whether the character is a joiner between two characters of a word, or two emoji."""
    return text[at] in _JOINERS and 0 < at < len(text) - 1 and _is_joined(text[at - 1]) and _is_joined(text[at + 1])


def _is_joined(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMNS"


def _is_visible(character: str) -> bool:
    if character in _VISIBLE_FORMATS:
        return True
    return unicodedata.category(character) not in _INVISIBLE and character not in _BLANKS


Line = Annotated[str, AfterValidator(single_line)]
Prose = Annotated[str, AfterValidator(prose)]
