"""Queries as text: `status:competing tag:"Green city" -is:mine coins:>100 sort:newest racks`.

    query   = { term }
    term    = [ "-" ] ( key ":" value { "," value } | value )
    value   = word | quotation mark, characters with backslash before a quotation mark or a backslash, quotation mark

A term without a key is a text. Terms must all hold; of the values of a term one must hold. `sort` and `seed` are the order.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from rapidfuzz import process
from rapidfuzz.distance import OSA

from api.ideas.lists.filters import Filter, Term
from api.ideas.lists.keys import KEYS
from api.ideas.lists.orders import DEFAULT_DIRECTIONS, Sort
from api.ideas.lists.values import OneOf, quoted
from api.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterable

QUERY_LENGTH_MAX = 1000
TERMS_MAX = 30
VALUES_MAX = 50
SEED_LENGTH_MAX = 100
SORT, SEED = "sort", "seed"
SORTS: tuple[Sort, ...] = get_args(Sort)

_BLANK = re.compile(r"\s*")
_NAME = re.compile(r"(?P<minus>-?)(?P<name>[A-Za-z_]+):")
_QUOTED = re.compile(r'"(?P<text>(?:[^"\\]|\\["\\])*)"')
_PLAIN = re.compile(r'[^\s",]+')
_ESCAPED = re.compile(r'\\(["\\])')
_SIMILAR_MIN = 0.5


class InvalidFilter(InvalidInput):
    """A filter of a list is not valid; `key`, `position` and `nearest` say where.

    They are the key, the character of the query, from 1, and the most similar known name; each is null if there is none.
    """

    slug = "invalid-filter"
    title = "The filter of the list is not valid"


@dataclass(frozen=True)
class Query:
    """A filter and an order; None is the default order of the list, or the default seed."""

    filter: Filter = field(default_factory=Filter)
    sort: Sort | None = None
    seed: str | None = None

    def __str__(self) -> str:
        """The query in the grammar."""
        parts = [str(self.filter)] if self.filter.terms else []
        parts += [f"{SORT}:{self.sort}"] if self.sort else []
        parts += [f"{SEED}:{quoted(self.seed)}"] if self.seed is not None else []
        return " ".join(parts)


@dataclass(frozen=True)
class _Found:
    name: str
    values: list[tuple[str, int]]
    is_negated: bool
    position: int


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        InvalidFilter: it is not one; the message states the first thing that is wrong, and where.
    """
    terms: list[Term] = []
    sort: Sort | None = None
    seed: str | None = None
    seen: set[tuple[str, bool]] = set()
    for found in _split(text):
        key = KEYS.get(found.name)
        if (key is None or not key.can_repeat) and (found.name, found.is_negated) in seen:
            hint = "; join its values by commas" if key is not None and isinstance(key.kind, OneOf) else ""
            raise _invalid(found.name, f"{found.name!r} is given twice{hint}", found.position)
        seen.add((found.name, found.is_negated))
        if key is not None:
            terms.append(_term(key.name, found))
        elif found.name == SORT:
            sort = _read_sort(found)
        else:
            seed = _read_seed(found)
    check_size(terms)
    return Query(Filter(tuple(dict.fromkeys(terms))), sort, seed)


def canonical(text: str) -> str:
    """The text of a query in the form in which it is stored.

    Raises:
        InvalidFilter: it is not valid, or too long in this form, which has all quotation marks.
    """
    found = str(parse(text))
    if len(found) > QUERY_LENGTH_MAX:
        fact = f"it has {len(found):,} characters with all quotation marks; at most {QUERY_LENGTH_MAX:,} are allowed"
        raise _invalid(None, fact, None)
    return found


def make_term(name: str, values: Iterable[tuple[str, int | None]], *, is_negated: bool = False) -> Term:
    """A term of texts, each with its position in a query.

    Raises:
        InvalidFilter: a text is no value of the key, or it is given twice.
    """
    key = KEYS[name]
    read: list[object] = []
    for text, position in values:
        try:
            value = key.kind.read(text)
        except ValueError as error:
            nearest = _nearest(text, key.kind.names) if isinstance(key.kind, OneOf) else None
            hint = f". Did you mean {nearest}?" if nearest else ""
            raise _invalid(name, f"{text[:100]!r} of {name!r} {error}{hint}", position, nearest) from None
        if value in read:
            raise _invalid(name, f"{text[:100]!r} of {name!r} is given twice", position)
        read.append(value)
    if len(read) > VALUES_MAX:
        raise _invalid(name, f"{name!r} has {len(read)} values; there may be at most {VALUES_MAX}", None)
    return Term(key, tuple(read), is_negated)


def check_size(terms: list[Term]) -> None:
    """Refuse a filter with too many terms.

    Raises:
        InvalidFilter: there are more than `TERMS_MAX`.
    """
    if len(terms) > TERMS_MAX:
        raise _invalid(None, f"the filter has {len(terms)} terms; there may be at most {TERMS_MAX}", None)


def _split(text: str) -> Iterable[_Found]:
    """The terms of a query with the positions of their values, from 1."""
    at = _skip(text, 0)
    while at < len(text):
        position = at + 1
        named = _NAME.match(text, at)
        if named:
            name, is_negated = named["name"].lower(), named["minus"] == "-"
            _check_name(name, position + len(named["minus"]))
            if name in {SORT, SEED} and is_negated:
                raise _invalid(name, f"{name!r} cannot be negated", position)
            at = named.end()
        else:
            is_negated = text[at] == "-" and at + 1 < len(text) and not text[at + 1].isspace()
            name = "text"
            at += is_negated
        values = []
        while True:
            value, begin, at = _read_value(text, at, name)
            values.append((value, begin + 1))
            if at >= len(text) or text[at] != ",":
                break
            at += 1
        if at < len(text) and not text[at].isspace():
            raise _invalid(name, "a blank or a comma is expected after a value", at + 1)
        yield _Found(name, values, is_negated, position)
        at = _skip(text, at)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _read_value(text: str, at: int, name: str) -> tuple[str, int, int]:
    """A value, where it begins, and where it ends."""
    if text.startswith('"', at):
        found = _QUOTED.match(text, at)
        if found is None:
            raise _invalid(name, "a quotation mark is not closed", at + 1)
        return _ESCAPED.sub(r"\1", found["text"]), at, found.end()
    found = _PLAIN.match(text, at)
    if found is None:
        raise _invalid(name, f"{name!r} has no value", at + 1)
    return found.group(), at, found.end()


def _check_name(name: str, position: int) -> None:
    if name in {*KEYS, SORT, SEED}:
        return
    nearest = _nearest(name, [*KEYS, SORT, SEED])
    hint = f"Did you mean {nearest}?" if nearest else f"Known ones are {', '.join([*KEYS, SORT, SEED])}."
    msg = f"there is no key {name[:50]!r}. {hint} A text with a colon is written in quotation marks"
    raise _invalid(name[:50], msg, position, nearest)


def _term(name: str, found: _Found) -> Term:
    return make_term(name, found.values, is_negated=found.is_negated)


def _read_sort(found: _Found) -> Sort:
    text, position = _only(found)
    name = DEFAULT_DIRECTIONS.get(text.lower(), text.lower())
    for sort in SORTS:
        if sort == name:
            return sort
    nearest = _nearest(name, SORTS)
    hint = f"Did you mean {nearest}?" if nearest else f"Orders are {', '.join(SORTS)}"
    raise _invalid(SORT, f"there is no order {text[:50]!r}. {hint}", position, nearest)


def _read_seed(found: _Found) -> str:
    text, position = _only(found)
    if len(text) > SEED_LENGTH_MAX or "\0" in text:
        raise _invalid(SEED, f"the seed must have at most {SEED_LENGTH_MAX} characters", position)
    return text


def _only(found: _Found) -> tuple[str, int]:
    if len(found.values) > 1:
        raise _invalid(found.name, f"{found.name!r} has one value only", found.values[1][1])
    return found.values[0]


def _nearest(name: str, known: Iterable[str]) -> str | None:
    found = process.extractOne(name.lower(), list(known), scorer=OSA.normalized_similarity, score_cutoff=_SIMILAR_MIN)
    return str(found[0]) if found else None


def _invalid(key: str | None, fact: str, position: int | None, nearest: str | None = None) -> InvalidFilter:
    where = f" (character {position} of the query)" if position is not None else ""
    end = "" if fact.endswith("?") else "."
    return InvalidFilter(f"The filter is not valid{where}: {fact}{end}", key=key, position=position, nearest=nearest)
