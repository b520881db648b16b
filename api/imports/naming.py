"""Names of an imported election: its key, and its campaign's slug and title."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.imports.cells import known
from api.kernel.slugs import SLUG_LENGTH_MAX, shorten_middle, transliterate
from api.kernel.texts import joined_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_KEY_PARTS = ("country", "unit", "subunit", "instance", "description")
_PLACE_PARTS = ("country", "unit", "subunit")
_SLUG_LENGTH_MIN = 3
_INSTANCE_LENGTH_MAX, _ADDITION_LENGTH_MAX = 40, 32
_TITLE_LENGTH_MAX = 200


def election_key(meta: Mapping[str, str]) -> str:
    """Identifies an election: country, unit, subunit, instance and description, regardless of spelling.

    For example `poland/gdansk/piecki-migowo/2020/district-vote`; a part is empty if the file does not have it.
    """
    return "/".join(transliterate(known(meta.get(part, "")) or "") for part in _KEY_PARTS)


def slugs_of(meta: Mapping[str, str], sha256_hex: str) -> Iterator[str]:
    """Slugs for the campaign in the order of preference, each a-z, 0-9 and hyphens; the first free one is used.

    They are the place and the instance; then these with the words of the description that they do not have; then these with
    a part of the file's hash. A long place loses words in its middle; the instance, which contains the year, stays.
    """
    place = _words(meta, *_PLACE_PARTS)
    instance = shorten_middle("-".join(_words(meta, "instance")), _INSTANCE_LENGTH_MAX)
    yield _slug(place, instance)
    more = [word for word in _words(meta, "description") if word not in {*place, *instance.split("-")}]
    if more:
        yield _slug(place, instance, shorten_middle("-".join(more), _ADDITION_LENGTH_MAX))
    for length in (6, 32):
        yield _slug(place, instance, sha256_hex[:length])


def title_of(meta: Mapping[str, str]) -> str:
    """The campaign's title: the file's description or place, and the instance unless the title contains it."""
    place = ", ".join(part for part in (meta.get("unit", ""), meta.get("subunit", "")) if part)
    title, instance = joined_lines(known(meta.get("description", "")) or place), joined_lines(meta.get("instance", ""))
    tail = "" if instance in title and len(title) > 3 else f", {instance}"
    if len(title) + len(tail) > _TITLE_LENGTH_MAX:
        title = title[: _TITLE_LENGTH_MAX - len(tail) - 1].rstrip() + "…"
    return title + tail


def _words(meta: Mapping[str, str], *parts: str) -> list[str]:
    """The transliterated words of parts of META."""
    names = (transliterate(known(meta.get(part, "")) or "") for part in parts)
    return [word for name in names if name for word in name.split("-")]


def _slug(place: list[str], instance: str, addition: str = "") -> str:
    tail = "-".join(part for part in (instance, addition) if part)
    head = shorten_middle("-".join(place), SLUG_LENGTH_MAX - len(tail) - 1)
    name = f"{head}-{tail}".strip("-")
    return name if len(name) >= _SLUG_LENGTH_MIN else f"election-{name}".strip("-")
