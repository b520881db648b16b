"""Requested movements of coins, their outcomes, and the error for each refusal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import orjson

from api.coins import errors
from api.kernel.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

Kind = Literal["allocate", "reallocate", "take_back"]

# the movements of one wallet that one call checks; each needs its own pass in the database
ITEMS_PER_WALLET_MAX = 10

SQL = """
SELECT item, outcome, transfer_id, effective_at, from_balance_coins, to_balance_coins, has_coins, limit_coins, opens_at,
    closes_at
FROM app.coins_move(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::text[], %s::bytea[],
    %s::text[], %s::uuid, %s::timestamptz, %s::boolean)
"""


@dataclass(frozen=True, slots=True)
class Move:
    """A movement of a member's coins from an idea (None: the wallet) to an idea (None: the wallet)."""

    campaign_id: UUID
    user_id: UUID
    from_idea_id: UUID | None
    to_idea_id: UUID | None
    coins: int
    key: str | None = None
    request_hash: bytes | None = None
    request_id: str | None = None

    @property
    def kind(self) -> Kind:
        """The kind of the transfer."""
        if self.from_idea_id is None:
            return "allocate"
        return "take_back" if self.to_idea_id is None else "reallocate"

    @property
    def wallet(self) -> tuple[UUID, UUID]:
        """The wallet, by campaign and user; its row is the lock for all movements of the member."""
        return self.campaign_id, self.user_id


@dataclass(frozen=True, slots=True)
class Outcome:
    """One row of `app.coins_move`: `outcome` is `moved`, `replayed`, `busy`, or the name of a refusal."""

    item: int
    outcome: str
    transfer_id: UUID | None
    effective_at: datetime | None
    from_balance_coins: int | None
    to_balance_coins: int | None
    has_coins: int | None
    limit_coins: int | None
    opens_at: datetime | None
    closes_at: datetime | None

    @property
    def succeeded(self) -> bool:
        """Whether the transfer exists, created now or by an earlier request with the same key."""
        return self.outcome in {"moved", "replayed"}


def as_arguments(
    moves: Sequence[Move],
    actor_id: UUID | None = None,
    effective_at: datetime | None = None,
    *,
    is_import: bool = False,
) -> tuple[Any, ...]:
    """The arguments of :data:`SQL`, one array per column."""
    return (
        [move.campaign_id for move in moves],
        [move.user_id for move in moves],
        [move.from_idea_id for move in moves],
        [move.to_idea_id for move in moves],
        [move.coins for move in moves],
        [move.key for move in moves],
        [move.request_hash for move in moves],
        [move.request_id for move in moves],
        actor_id,
        effective_at,
        is_import,
    )


def as_json(move: Move, outcome: Outcome, *, is_dry_run: bool = False) -> bytes:
    """The response for a movement that succeeded, as the JSON of a :class:`api.coins.schemas.Movement`.

    It is the same for replays, because all values are in the ledger.
    """
    assert outcome.transfer_id is not None
    assert outcome.effective_at is not None
    assert outcome.from_balance_coins is not None
    assert outcome.to_balance_coins is not None
    return orjson.dumps(
        {
            "transfer_id": None if is_dry_run else outcome.transfer_id,
            "campaign_id": move.campaign_id,
            "kind": move.kind,
            "coins": move.coins,
            "debit": _side(move.from_idea_id, outcome.from_balance_coins),
            "credit": _side(move.to_idea_id, outcome.to_balance_coins),
            "effective_at": outcome.effective_at,
        },
        option=orjson.OPT_UTC_Z,
    )


def _side(idea_id: UUID | None, balance_coins: int) -> dict[str, object]:
    return {"account": "stake" if idea_id else "wallet", "idea_id": idea_id, "balance_coins": balance_coins}


def _window(outcome: Outcome) -> str:
    opens, closes = outcome.opens_at, outcome.closes_at
    texts = [f"from {opens.isoformat()}" if opens else "", f"until {closes.isoformat()}" if closes else ""]
    return " ".join(text for text in texts if text)


def as_error(move: Move, outcome: Outcome) -> DomainError:  # noqa: C901, PLR0911, PLR0912 - a table of refusals
    """The error for a refusal. `idea_not_open` is not included, because its error needs the status of the idea."""
    has, limit = outcome.has_coins or 0, outcome.limit_coins or 0
    match outcome.outcome:
        case "insufficient_coins":
            return errors.InsufficientCoins(
                f"The wallet has {has} coins; {move.coins} were requested.", has_coins=has, wants_coins=move.coins
            )
        case "insufficient_stake":
            return errors.InsufficientCoins(
                f"You have {has} coins on this idea; {move.coins} were requested.",
                has_coins=has,
                wants_coins=move.coins,
                idea_id=move.from_idea_id,
            )
        case "above_maximum":
            left = max(limit - has, 0)
            return errors.AboveMaximum(
                f"A member may put at most {limit} coins on one idea; you have {has} on it, so {left} more are allowed.",
                limit_coins=limit,
                has_coins=has,
                left_coins=left,
                wants_coins=move.coins,
            )
        case "below_minimum":
            return errors.BelowMinimum(
                f"An allocation must have at least {limit} coins, and an idea must keep at least {limit} coins or none.",
                limit_coins=limit,
                wants_coins=move.coins,
            )
        case "window_closed":
            return errors.AllocationWindowClosed(
                f"Coins can be moved {_window(outcome)}.",
                opens_at=outcome.opens_at,
                closes_at=outcome.closes_at,
            )
        case "unknown_idea":
            return errors.UnknownIdea("This campaign has no idea with this id that takes coins.")
        case "own_idea":
            return errors.OwnIdea("The coin policy of this campaign does not allow members to back their own ideas.")
        case "take_back_refused":
            until = f" after {outcome.closes_at.isoformat()}" if outcome.closes_at else ""
            return errors.TakeBackRefused(
                f"Coins can be moved to another idea, but not back to the wallet{until}.",
                take_back_until=outcome.closes_at,
            )
        case "cooling_down":
            assert outcome.opens_at is not None
            return errors.CoolingDown(
                f"You moved coins of this idea a short time ago; they can move from {outcome.opens_at.isoformat()}.",
                movable_at=outcome.opens_at,
            )
        case "same_account":
            return errors.SameAccount("The coins are on this idea already.")
        case "not_a_member":
            return errors.NotAMember("You have no wallet in this campaign; join it first.")
        case "wallet_frozen":
            return errors.WalletFrozen("You left this campaign; join it again to use your wallet.")
        case "key_reused":
            return errors.KeyReused("This key was used for another command; use a new key for each command.")
        case "busy":
            return errors.LedgerBusy(
                "The wallet or the idea was locked by another change until the deadline; try again."
            )
    msg = f"the ledger returned an unknown outcome: {outcome.outcome}"
    raise AssertionError(msg)
