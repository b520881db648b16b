"""The filter of a list of ideas: terms that must all hold. Query parameters, queries and saved views have this one form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from api.ideas.lists.keys import KEYS, Key

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True)
class Term:
    """A condition: the key has one of `values`, or with `is_negated` none of them."""

    key: Key
    values: tuple[Any, ...]
    is_negated: bool = False

    def __str__(self) -> str:
        """The term in the grammar."""
        values = ",".join(self.key.kind.write(value) for value in self.values)
        name = "" if self.key.is_text else f"{self.key.name}:"
        return f"{'-' if self.is_negated else ''}{name}{values}"


@dataclass(frozen=True)
class Filter:
    """Terms that must all hold."""

    terms: tuple[Term, ...] = ()

    def __str__(self) -> str:
        """The filter in the grammar, without its order."""
        return " ".join(map(str, self.terms))

    def values_of(self, name: str) -> tuple[Any, ...]:
        """The values of the terms of a key that are not negated."""
        return tuple(
            value for term in self.terms if term.key.name == name and not term.is_negated for value in term.values
        )

    @property
    def is_personal(self) -> bool:
        """Whether the same filter finds other ideas for other readers."""
        return any(term.key.is_personal(term.values) for term in self.terms)

    def replaced_by(self, terms: Iterable[Term]) -> Filter:
        """The filter with further terms; one of a key that cannot be repeated replaces the present one."""
        added = tuple(terms)
        given = {(term.key.name, term.is_negated) for term in added if not term.key.can_repeat}
        kept = tuple(term for term in self.terms if (term.key.name, term.is_negated) not in given)
        return Filter(tuple(dict.fromkeys(kept + added)))


def term(name: str, *values: Any, is_negated: bool = False) -> Term:
    """A term with values of the type of the key."""
    return Term(KEYS[name], values, is_negated)
