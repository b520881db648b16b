"""A movement asked for, what became of it, and the error that a refusal is over HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from api.coins import errors
from api.coins.schemas import Movement, Side
from api.kernel.errors import DomainError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

Kind = Literal["allocate", "reallocate", "take_back"]

# at most this many movements of one wallet are judged in one call; each is a round of its own
ITEMS_PER_WALLET_MAX = 10

SQL = """
SELECT item, outcome, transfer_id, effective_at, from_balance_coins, to_balance_coins, has_coins, limit_coins, opens_at,
    closes_at
FROM app.coins_move(%s::uuid[], %s::uuid[], %s::uuid[], %s::uuid[], %s::bigint[], %s::text[], %s::bytea[],
    %s::text[], %s::uuid, %s::timestamptz, %s::boolean)
"""


@dataclass(frozen=True, slots=True)
class Move:
    """`coins` of one member, from an idea (None: the wallet) to an idea (None: the wallet)."""

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
        """The transfer's kind."""
        if self.from_idea_id is None:
            return "allocate"
        return "take_back" if self.to_idea_id is None else "reallocate"

    @property
    def wallet(self) -> tuple[UUID, UUID]:
        """Whose wallet: the member's mutex."""
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
        """Whether the transfer exists, made now or by an earlier request with the same key."""
        return self.outcome in {"moved", "replayed"}


def as_arguments(
    moves: Sequence[Move],
    actor_id: UUID | None = None,
    effective_at: datetime | None = None,
    *,
    is_import: bool = False,
) -> tuple[Any, ...]:
    """The arguments of :data:`SQL`, one array a column."""
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


def as_movement(move: Move, outcome: Outcome, *, is_dry_run: bool = False) -> Movement:
    """The reply to a movement that succeeded; the same for its replays, since all of it stands in the ledger."""
    assert outcome.transfer_id is not None
    assert outcome.effective_at is not None
    assert outcome.from_balance_coins is not None
    assert outcome.to_balance_coins is not None
    return Movement(
        transfer_id=None if is_dry_run else outcome.transfer_id,
        campaign_id=move.campaign_id,
        kind=move.kind,
        coins=move.coins,
        debit=_side(move.from_idea_id, outcome.from_balance_coins),
        credit=_side(move.to_idea_id, outcome.to_balance_coins),
        effective_at=outcome.effective_at,
    )


def _side(idea_id: UUID | None, balance_coins: int) -> Side:
    return Side(account="stake" if idea_id else "wallet", idea_id=idea_id, balance_coins=balance_coins)


def _window(outcome: Outcome) -> str:
    opens, closes = outcome.opens_at, outcome.closes_at
    texts = [f"from {opens.isoformat()}" if opens else "", f"until {closes.isoformat()}" if closes else ""]
    return " ".join(text for text in texts if text)


def as_error(move: Move, outcome: Outcome) -> DomainError:  # noqa: C901, PLR0911, PLR0912 - a refusal a case: it is a table
    """The refusal as the error that states it; `idea_not_open` is not among them, for it tells the idea's status too."""
    has, limit = outcome.has_coins or 0, outcome.limit_coins or 0
    match outcome.outcome:
        case "insufficient_coins":
            return errors.InsufficientCoins(
                f"The wallet holds {has} coins; {move.coins} are wanted.", has_coins=has, wants_coins=move.coins
            )
        case "insufficient_stake":
            return errors.InsufficientCoins(
                f"You have {has} coins on this idea; {move.coins} are wanted.",
                has_coins=has,
                wants_coins=move.coins,
                idea_id=move.from_idea_id,
            )
        case "above_maximum":
            left = max(limit - has, 0)
            return errors.AboveMaximum(
                f"A member may put {limit} coins on one idea; {has} are there, so {left} more may be.",
                limit_coins=limit,
                has_coins=has,
                left_coins=left,
                wants_coins=move.coins,
            )
        case "below_minimum":
            return errors.BelowMinimum(
                f"An allocation is at least {limit} coins, and so is what stays on an idea unless it is nothing.",
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
            return errors.UnknownIdea("No idea of this campaign takes coins under this id.")
        case "own_idea":
            return errors.OwnIdea("This campaign's policy keeps members from backing their own ideas.")
        case "take_back_refused":
            return errors.TakeBackRefused("Coins may move to another idea, but not back into the wallet.")
        case "same_account":
            return errors.SameAccount("The coins are on this idea already.")
        case "not_a_member":
            return errors.NotAMember("You have no wallet in this campaign; join it first.")
        case "wallet_frozen":
            return errors.WalletFrozen("You left this campaign; join it again to use your wallet.")
        case "key_reused":
            return errors.KeyReused("This key was used for another command; use a new key for a new command.")
        case "busy":
            return errors.LedgerBusy("The wallet or the idea was held by another change until the deadline; try again.")
    msg = f"the ledger gave an outcome that nobody knows: {outcome.outcome}"
    raise AssertionError(msg)
