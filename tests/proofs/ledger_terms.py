"""What a ledger is asked and what it answers, in terms of small numbers instead of ids.

A member or an idea is its index; the indexes are in the order of the ids that stand behind them.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

MEMBERS, IDEAS = 4, 12

Policy = dict[str, Any]
Kind = Literal["expire", "return", "settle"]

CLOSED = "the ledger is closed"


class Item(NamedTuple):
    """A movement that a member asks for; None is the wallet."""

    member: int
    source: int | None
    target: int | None
    coins: int
    key: str | None = None


class Correction(NamedTuple):
    """A line of a bulk."""

    member: int
    kind: Literal["grant", "correct"]
    coins: int | None
    has_reason: bool


class Answer(NamedTuple):
    """What became of a movement; `transfer` counts the movements that were ever made."""

    outcome: str
    transfer: int | None = None
    from_coins: int | None = None
    to_coins: int | None = None
    has_coins: int | None = None
    limit_coins: int | None = None


class Closed(NamedTuple):
    """What an idea had when it was closed."""

    idea: int
    coins: int
    backers: int
    is_settling: bool
