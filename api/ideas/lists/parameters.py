"""Query parameters of the keys of filters, derived from :mod:`api.ideas.lists.keys`.

`status=a&status=b` are the values of one term; `not_status` is a negated one. Ranges have two parameters, such as
`coins_min` and `coins_max`, or `created_from` and `created_to`.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any, Literal

from fastapi import Query as QueryParameter
from pydantic import StringConstraints

from api.ideas.lists.filters import Filter, Term
from api.ideas.lists.grammar import (
    QUERY_LENGTH_MAX,
    SEED_LENGTH_MAX,
    VALUES_MAX,
    InvalidFilter,
    Query,
    check_size,
    make_term,
    parse,
)
from api.ideas.lists.keys import KEYS, Key
from api.ideas.lists.orders import Sort
from api.ideas.lists.values import Days, OneOf, Range
from api.kernel.contract import raises
from api.kernel.texts import Line

_PREFIX = "filter_"  # of the names in Python, where `is` cannot be one
Words = Annotated[
    str | None,
    QueryParameter(
        max_length=QUERY_LENGTH_MAX,
        description="a query: words, which are a part of the title or description in any case, and terms such as "
        'status:competing, tag:"Green city", -is:mine, coins:>100 and sort:newest; docs/idea-lists.md has the grammar',
    ),
]
SortParameter = Annotated[
    Sort | None, QueryParameter(description="by default random while coins can be moved, coins afterwards")
]
SeedParameter = Annotated[
    Line | None,
    QueryParameter(
        max_length=SEED_LENGTH_MAX, description="seed of the random order; by default a different one per user"
    ),
]


def suffixes(key: Key) -> tuple[str, str]:
    """The ends of the names of the two parameters of a range."""
    return ("from", "to") if isinstance(key.kind, Days) else ("min", "max")


def parameters(key: Key) -> Iterator[tuple[str, str, Any]]:
    """The names of the parameters of a key, each with what it means and its type."""
    # so short that all parameters together fit into the line of a request
    kind: Any = (
        Literal[key.kind.names]
        if isinstance(key.kind, OneOf)
        else Annotated[str, StringConstraints(max_length=key.kind.length_max)]
    )
    if key.is_range:
        low, high = suffixes(key)
        yield f"{key.name}_{low}", f"{key.meaning}: not below this value", kind | None
        yield f"{key.name}_{high}", f"{key.meaning}: not above this value", kind | None
        return
    values = Annotated[list[kind], QueryParameter(max_length=VALUES_MAX)] | None
    yield key.name, f"one of the values: {key.meaning}", values
    if key.can_repeat:
        yield f"all_{key.name}", f"all of the values: {key.meaning}", values
    yield f"not_{key.name}", f"none of the values: {key.meaning}", values


def _signature() -> inspect.Signature:
    declared: dict[str, tuple[Any, None]] = {
        "q": (Words, None),
        "sort": (SortParameter, None),
        "seed": (SeedParameter, None),
    }
    for key in KEYS.values():
        for name, meaning, kind in parameters(key):
            parameter = QueryParameter(alias=name, description=meaning)
            declared[f"{_PREFIX}{name}"] = (Annotated[kind, parameter], None)
    return inspect.Signature(
        [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, annotation=annotation, default=default)
            for name, (annotation, default) in declared.items()
        ]
    )


def _reader() -> Callable[..., Awaitable[Query]]:
    @raises(InvalidFilter)
    async def read_query(**given: Any) -> Query:
        q, sort, seed = (given.pop(name) for name in ("q", "sort", "seed"))
        return combine(q, sort, seed, terms_of({name.removeprefix(_PREFIX): value for name, value in given.items()}))

    read_query.__signature__ = _signature()  # type: ignore[attr-defined]
    return read_query


def terms_of(given: dict[str, Any]) -> list[Term]:
    """The terms of parameters; None is a parameter that is not given.

    Raises:
        InvalidFilter: a text is no value of its key.
    """
    found: list[Term] = []
    for key in KEYS.values():
        if key.is_range:
            found.extend(_range_term(key, *(given.get(f"{key.name}_{end}") for end in suffixes(key))))
            continue
        if values := given.get(key.name):
            found.append(_term(key, values))
        found.extend(_term(key, [value]) for value in given.get(f"all_{key.name}") or ())
        if values := given.get(f"not_{key.name}"):
            found.append(_term(key, values, is_negated=True))
    return found


def combine(q: str | None, sort: Sort | None, seed: str | None, terms: list[Term]) -> Query:
    """The query `q` with further terms and an order.

    Raises:
        InvalidFilter: `q` is not valid, or gives what a parameter gives.
    """
    query = parse(q) if q else Query()
    given = {(term.key.name, term.is_negated) for term in query.filter.terms}
    for term in terms:
        if not term.key.can_repeat and (term.key.name, term.is_negated) in given:
            raise _given_twice(term.key.name)
    for name, value, other in (("sort", sort, query.sort), ("seed", seed, query.seed)):
        if value is not None and other is not None:
            raise _given_twice(name)
    everything = [*query.filter.terms, *terms]
    check_size(everything)
    return Query(
        Filter(tuple(dict.fromkeys(everything))),
        sort if sort is not None else query.sort,
        seed if seed is not None else query.seed,
    )


def _given_twice(name: str) -> InvalidFilter:
    msg = f"The filter is not valid: {name!r} is given by the query q and by a parameter of its own."
    return InvalidFilter(msg, key=name, position=None, nearest=None)


def _term(key: Key, values: list[str], *, is_negated: bool = False) -> Term:
    return make_term(key.name, [(value, None) for value in values], is_negated=is_negated)


def _range_term(key: Key, low: str | None, high: str | None) -> Iterator[Term]:
    if low is None and high is None:
        return
    for limit in (low, high):
        if limit is not None:
            made = make_term(key.name, [(limit, None)]).values[0]
            if not isinstance(made, Range) or made.low != made.high:
                msg = f"The filter is not valid: {limit[:100]!r} of {key.name!r} must be one value, and not a range."
                raise InvalidFilter(msg, key=key.name, position=None, nearest=None)
    yield make_term(key.name, [(low if low == high and low else f"{low or ''}..{high or ''}", None)])


read_query = _reader()
"""The dependency that reads the parameters of a filter as one query."""
