"""The one transliteration of the product: ASCII names for links, keys and addresses."""

from __future__ import annotations

import re
import unicodedata
from itertools import accumulate
from typing import Final

from anyascii import anyascii

SLUG_LENGTH_MAX: Final = 100

# anyascii writes soft signs and glottal stops with them: Львів is L'viv
_APOSTROPHES = re.compile(r"['`]")
_OTHERS = re.compile(r"[^a-z0-9]+")


def transliterate(text: str) -> str:
    """Words of a-z and 0-9 joined by hyphens: `Kraków, BIEŃCZYCE` is `krakow-bienczyce`; "" if no letter or digit remains."""
    ascii_text = anyascii(unicodedata.normalize("NFC", text)).lower()
    return _OTHERS.sub("-", _APOSTROPHES.sub("", ascii_text)).strip("-")


def slug_of(text: str, length_max: int = SLUG_LENGTH_MAX) -> str:
    """A name for links: the transliterated text, without words in the middle if it is too long; may be ""."""
    return shorten_middle(transliterate(text), length_max)


def shorten_middle(name: str, length_max: int) -> str:
    """The first and last words of a name that fit into `length_max` characters, about half of the length each.

    The start and the end, where the year often is, are what tells two long names apart.
    """
    if len(name) <= length_max:
        return name
    words = name.split("-")
    half = length_max // 2
    tail = _fitting(words[::-1], half)[::-1] or [words[-1][-half:]]
    rest = length_max - len("-".join(tail)) - 1
    head = _fitting(words, rest) or [words[0][:rest]]
    return "-".join(head + tail)


def _fitting(words: list[str], length_max: int) -> list[str]:
    """The first words that fit, with a hyphen between them."""
    lengths = accumulate(len(word) + 1 for word in words)
    return [word for word, length in zip(words, lengths, strict=True) if length - 1 <= length_max]
