"""Commands and results of a ledger, with small numbers instead of ids.

Members and ideas are indexes, in the order of their ids.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

MEMBERS, IDEAS = 4, 12

Policy = dict[str, Any]
Kind = Literal["expire", "return", "withdraw", "settle"]

CLOSED = "the ledger is closed"
IN_GRACE = "backers may take coins back"
TOO_EARLY = "ideas are decided after the end of allocation"
LACKS_SUPPORT = "too few coins or backers"


class Item(NamedTuple):
    """A requested movement of a member; None is the wallet."""

    member: int
    source: int | None
    target: int | None
    coins: int
    key: str | None = None


class Correction(NamedTuple):
    """An item of a bulk call."""

    member: int
    kind: Literal["grant", "correct"]
    coins: int | None
    has_reason: bool


class MoveResult(NamedTuple):
    """The outcome of a movement; `transfer` is the number of the movement."""

    outcome: str
    transfer: int | None = None
    from_coins: int | None = None
    to_coins: int | None = None
    has_coins: int | None = None
    limit_coins: int | None = None


class Closed(NamedTuple):
    """The coins of an idea at closing."""

    idea: int
    coins: int
    backers: int
    is_settling: bool
