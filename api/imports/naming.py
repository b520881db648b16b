"""Names of an imported election: its key, and its campaign's slug and title."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from api.imports.cells import known

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY_PARTS = ("country", "unit", "subunit", "instance")
_SLUG_LENGTH_MAX = 100
_TITLE_LENGTH_MAX = 200
# letters that Unicode does not decompose into a base letter and a mark
_LETTERS = str.maketrans(
    {"ł": "l", "đ": "d", "ð": "d", "ø": "o", "æ": "ae", "œ": "oe", "þ": "th", "\u0131": "i", "ħ": "h"}
)
# not all combining marks: in Japanese they distinguish syllables
_LATIN_MARKS = re.compile(r"[\u0300-\u036f]")


def fold(text: str) -> str:
    """Lower case without marks, words joined by hyphens: `Kraków, BIEŃCZYCE` is `krakow-bienczyce`.

    Letters of other scripts stay as they are.
    """
    bare = unicodedata.normalize("NFKD", text.casefold().translate(_LETTERS))
    bare = unicodedata.normalize("NFC", _LATIN_MARKS.sub("", bare))
    return re.sub(r"[\W_]+", "-", bare).strip("-")


def election_key(meta: Mapping[str, str]) -> str:
    """Identifies an election: country, unit, subunit and instance, regardless of spelling.

    For example `poland/gdansk/piecki-migowo/2020`; the subunit is empty if there is none.
    """
    return "/".join(fold(meta.get(part, "")) for part in _KEY_PARTS)


def slug_of(meta: Mapping[str, str], suffix: str = "") -> str:
    """The campaign's slug, at most 100 characters of a-z, 0-9 and hyphens; `suffix` distinguishes equal names."""
    ascii_parts = (re.sub(r"[^a-z0-9]+", "-", part).strip("-") for part in election_key(meta).split("/"))
    name = "-".join(part for part in ascii_parts if part)
    if len(name) < 3:
        name = f"election-{name}".strip("-")
    tail = f"-{suffix}" if suffix else ""
    return name[: _SLUG_LENGTH_MAX - len(tail)].rstrip("-") + tail


def title_of(meta: Mapping[str, str]) -> str:
    """The campaign's title: the file's description or place, and the instance unless the title contains it."""
    place = ", ".join(part for part in (meta.get("unit", ""), meta.get("subunit", "")) if part)
    title, instance = known(meta.get("description", "")) or place, meta.get("instance", "")
    tail = "" if instance in title and len(title) > 3 else f", {instance}"
    if len(title) + len(tail) > _TITLE_LENGTH_MAX:
        title = title[: _TITLE_LENGTH_MAX - len(tail) - 1].rstrip() + "…"
    return title + tail
