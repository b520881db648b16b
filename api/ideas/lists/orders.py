"""The orders of lists of ideas. Each is read from an index, in pages that continue after the last idea of the page before."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Literal
from uuid import UUID

Sort = Literal[
    "random", "newest", "oldest", "coins", "coins-asc", "trend", "trend-asc", "discussed", "discussed-asc", "deadline",
    "deadline-desc", "title", "title-desc",
]  # fmt: skip

SHUFFLED = "(uuid_hash_extended(i.id, 0) & 9223372036854775807)"
"""A number of 63 bits for each idea. A random order is that of these numbers, each XOR the number of a seed."""
SHUFFLED_BITS = 63


@dataclass(frozen=True)
class Order:
    """An order by a key and the id of the idea. `index` has both after the campaign."""

    meaning: str
    key: str
    sql_type: str
    read: Callable[[str], object]
    """Reads the key from the text in a cursor; ValueError if it is none."""
    index: str
    is_descending: bool = False
    has_figures: bool = False

    @property
    def direction(self) -> str:
        """As a word of SQL."""
        return "DESC" if self.is_descending else "ASC"

    @property
    def id_column(self) -> str:
        """The id in the same table as the key: an index has both."""
        return "f.idea_id" if self.has_figures else "i.id"

    @property
    def campaign_column(self) -> str:
        """The campaign in the same table as the key."""
        return "f.campaign_id" if self.has_figures else "i.campaign_id"


def _day(text: str) -> str:
    return text if text == "infinity" else date.fromisoformat(text).isoformat()


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        msg = "a moment has a time zone"
        raise ValueError(msg)
    return found


def _number(text: str) -> int:
    found = int(text)
    if not -(2**63) <= found < 2**63:
        msg = "a number has 64 bits"
        raise ValueError(msg)
    return found


def _count(text: str) -> int:
    found = int(text)
    if not 0 <= found < 2**31:
        msg = "a count has 31 bits"
        raise ValueError(msg)
    return found


def _text(text: str) -> str:
    if "\0" in text:
        msg = "a text has no null character"
        raise ValueError(msg)
    return text


def _both(name: str, order: Order, opposite: str, meaning: str) -> dict[str, Order]:
    from dataclasses import replace

    return {name: order, opposite: replace(order, meaning=meaning, is_descending=not order.is_descending)}


_SUBMITTED = Order("the last submitted first", "i.submitted_at", "timestamptz", _moment, "ix_ideas_newest", True)
ORDERS: Mapping[str, Order] = MappingProxyType(
    {"random": Order("random, fixed for a seed", SHUFFLED, "bigint", _number, "ix_ideas_shuffled")}
    | _both("newest", _SUBMITTED, "oldest", "the first submitted first")
    | _both(
        "coins", Order("the most coins first", "f.coins", "bigint", _number, "ix_idea_figures_coins", True, True),
        "coins-asc", "the fewest coins first",
    )
    | _both(
        "trend",
        Order(
            "the most coins of the last seven days first: those added since then, less those taken back", "f.trend_coins",
            "bigint", _number, "ix_idea_figures_trend_coins", True, True,
        ),
        "trend-asc", "the fewest coins of the last seven days first",
    )
    | _both(
        "discussed",
        Order("the most comments first", "f.comments", "integer", _count, "ix_idea_figures_comments", True, True),
        "discussed-asc", "the fewest comments first",
    )
    | _both(
        "deadline",
        Order(
            "the first open milestone first; ideas without one last", "f.next_due_on", "date", _day,
            "ix_idea_figures_next_due_on", False, True,
        ),
        "deadline-desc", "ideas without an open milestone first, then the last one first",
    )
    | _both(
        "title", Order("by title, without regard to case", "left(lower(i.title), 60)", "text", _text, "ix_ideas_title"),
        "title-desc", "by title, backwards",
    )
)  # fmt: skip
"""Every order by its name, in the order of the documentation."""

DEFAULT_DIRECTIONS: Mapping[str, str] = MappingProxyType(
    {
        "coins-desc": "coins",
        "trend-desc": "trend",
        "discussed-desc": "discussed",
        "deadline-asc": "deadline",
        "title-asc": "title",
    }
)
"""Names of a query that state the direction which the order has without it."""


def mask_of(seed: str) -> int:
    """The number of a seed, of 63 bits."""
    return int.from_bytes(hashlib.blake2b(seed.encode(), digest_size=8).digest()) >> 1


def read_cursor(sort: Sort) -> tuple[Callable[[str], object], ...]:
    """What reads the parts of a cursor of this order: its name, the key and the id."""

    def same(text: str) -> str:
        if text != sort:
            msg = "the cursor is of another order"
            raise ValueError(msg)
        return text

    return same, ORDERS[sort].read, UUID
