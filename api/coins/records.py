"""What the ledger's interface returns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True)
class Conservation:
    """The coins of one campaign by kind of account, and the number of wrong balances, transfers and totals."""

    campaign_id: UUID
    issued_coins: int
    carried_in_coins: int
    wallet_coins: int
    held_coins: int
    staked_coins: int
    expired_coins: int
    carried_out_coins: int
    difference_coins: int
    wrong_balances: int
    unbalanced_transfers: int
    wrong_totals: int

    @property
    def holds(self) -> bool:
        """Whether issued + carried in = wallets + held + stakes + expired + carried out, and nothing is wrong."""
        wrong = self.wrong_balances + self.unbalanced_transfers + self.wrong_totals
        return self.difference_coins == 0 and wrong == 0


@dataclass(frozen=True)
class ListFacts:
    """What a list of ideas needs of the ledger: the time, the time of the totals, and the undo window of the campaign."""

    now: datetime
    aggregated_at: datetime
    undo_window_h: int


@dataclass(frozen=True)
class Wallet:
    """A member's wallet; the coins of a frozen wallet cannot be used."""

    wallet_coins: int
    is_frozen: bool


@dataclass(frozen=True)
class Closing:
    """The coins in the wallets when the ledger was closed, and whether a background loop is still emptying them."""

    wallet_coins: int
    is_settling: bool


@dataclass(frozen=True)
class Remaining:
    """Coins in wallets and on open ideas, and the number of members who have some of them."""

    coins: int
    members: int


@dataclass(frozen=True)
class MemberStake:
    """A member's coins on an idea."""

    user_id: UUID
    idea_id: UUID
    coins: int


@dataclass(frozen=True)
class Total:
    """An idea's coins and backers, now or when it was settled."""

    coins: int
    backers: int
    is_settling: bool = False
