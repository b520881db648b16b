"""Request and response models of coins. All amounts are whole coins."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from api.kernel.schemas import Id, ResponseModel, Schema

COINS_MAX = 1_000_000_000
Coins = Annotated[int, Field(ge=1, le=COINS_MAX)]


class AllocateCoins(Schema):
    """Put coins from the wallet on an idea."""

    idea_id: Id
    coins: Coins


class ReallocateCoins(Schema):
    """Move coins from one idea to another or, without a target, back to the wallet."""

    from_idea_id: Id
    to_idea_id: Id | None = None
    coins: Coins


TransferKind = Literal[
    "grant", "allocate", "reallocate", "take_back", "expire", "return", "settle", "reverse", "correct", "hold", "release",
    "carry",
]  # fmt: skip


class Side(ResponseModel):
    """One side of a movement, with the balance of its account afterwards."""

    account: Literal["wallet", "stake"]
    idea_id: UUID | None
    balance_coins: int


class Movement(ResponseModel):
    """A transfer that a member made."""

    transfer_id: UUID | None = Field(description="null in a dry run, which creates none")
    campaign_id: UUID
    kind: Literal["allocate", "reallocate", "take_back"]
    coins: int
    debit: Side
    credit: Side
    effective_at: datetime


class StakeRead(ResponseModel):
    """My coins on one idea."""

    idea_id: UUID
    coins: int


class BackerRead(ResponseModel):
    """A member's coins on an idea."""

    user_id: UUID
    display_name: str | None = None
    coins: int = Field(description="on the idea now, or just before it was settled")


class Balance(ResponseModel):
    """My coins in one campaign; wallet + staked + expired = granted."""

    campaign_id: UUID
    at: datetime
    granted_coins: int
    wallet_coins: int
    held_coins: int
    staked_coins: int
    expired_coins: int
    returned_coins: int = Field(
        description="returned from withdrawn and rejected ideas; now in the wallet or spent again"
    )
    stakes: list[StakeRead]


class StatementLine(ResponseModel):
    """One movement of my coins, with the balances of wallet and stake afterwards (null if not changed)."""

    transfer_id: UUID
    kind: str
    coins: int
    from_idea_id: UUID | None
    to_idea_id: UUID | None
    wallet_after_coins: int | None
    stake_after_coins: int | None
    reason: str | None
    effective_at: datetime


class CampaignCoins(ResponseModel):
    """My coins in one of my campaigns."""

    campaign_id: UUID
    wallet_coins: int
    staked_coins: int
    expired_coins: int
    ideas_backed: int


class ChainHead(ResponseModel):
    """The last block of the chain of sealed transfers. A copy kept elsewhere later proves whether they were changed."""

    campaign_id: UUID
    height: int = Field(description="number of this block, counted from 1; 0 while nothing is sealed")
    hash: str = Field(description="SHA-256 of the block at this height, in hexadecimal; 64 zeros at height 0")
    sealed_transfers: int = Field(description="transfers in the blocks up to this one")
    sealed_at: datetime | None = Field(description="when the block was sealed; null at height 0")


class ChainFinding(ResponseModel):
    """A difference from what was sealed."""

    problem: Literal["wrong_block", "altered_transfer", "removed_transfer", "unsealed_transfer"]
    height: int | None = Field(description="the block; null for a transfer outside all blocks")
    position: int | None = Field(description="the transfer's position in the block, from 1")
    transfer_id: UUID | None
    detail: str


class ChainCheck(ResponseModel):
    """Result of recomputing the chain from the transfers: every hash, every link, and every transfer in its block."""

    holds: bool = Field(description="no difference was found, and the head in the request is in the chain")
    height: int = Field(description="number of blocks; 0 while nothing is sealed")
    hash: str = Field(description="hash of the last block, in hexadecimal")
    sealed_transfers: int
    sealed_at: datetime | None
    has_kept_head: bool | None = Field(
        description="whether the chain contains the head in the request; null without one. False if the chain was "
        "rewritten or truncated since the head was kept"
    )
    wrong_blocks: int = Field(description="blocks whose hash, link or count is wrong")
    altered_transfers: int = Field(description="transfers that differ from what was sealed")
    removed_transfers: int = Field(description="transfers that were sealed and are missing")
    unsealed_transfers: int = Field(
        description="transfers that should be sealed but are in no block: inserted later, or removed from a block"
    )
    findings: list[ChainFinding] = Field(description="the first findings in detail; the counts include all")


class ConservationRead(ResponseModel):
    """A campaign's coins, recomputed from its postings.

    Conservation: issued + carried in = wallets + held + stakes + expired + carried out.
    """

    campaign_id: UUID
    holds: bool = Field(description="difference_coins is 0, no balance or total is wrong, and the chain holds")
    issued_coins: int = Field(description="coins issued by the mint, minus coins returned to it")
    carried_in_coins: int = Field(description="coins from other campaigns or rounds")
    wallet_coins: int = Field(description="sum of the stored balances of wallets")
    held_coins: int = Field(description="sum of the stored balances of reserved coins")
    staked_coins: int = Field(description="sum of the stored balances of stakes")
    expired_coins: int = Field(description="expired coins, which are never returned")
    carried_out_coins: int = Field(description="coins to other campaigns or rounds")
    difference_coins: int = Field(description="issued + carried in - wallets - held - stakes - expired - carried out")
    wrong_balances: int = Field(
        description="accounts whose stored balance, version or time differs from their postings, or whose coins moved "
        "after they were settled"
    )
    unbalanced_transfers: int = Field(description="transfers without exactly two postings that sum to 0")
    wrong_totals: int = Field(
        description="aggregated totals that differ from the postings up to the aggregation: coins and backers of an idea, and "
        "the flows of a day"
    )
    chain: ChainCheck
