"""Grants and corrections of coins for many members of the campaigns that the caller manages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from api.campaigns.lifecycle import Command, statuses_with
from api.coins.commands.corrections import ITEMS_PER_MEMBER_MAX, Corrected, Correction, correct_coins
from api.coins.schemas import COINS_MAX
from api.kernel.errors import DomainError, InvalidInput
from api.kernel.schemas import Id, ResponseModel, Schema
from api.kernel.texts import Prose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

ITEMS_MAX = 10_000
REASON_LENGTH_MAX = 200

Mode = Literal["atomic", "continue_on_failure"]

# Conflicts with the locks of leaving and of ending a campaign, but not with the weaker lock of joining.
_LOCK = text("SELECT c.id FROM app.campaigns AS c WHERE c.id = ANY (:campaign_ids) ORDER BY c.id FOR KEY SHARE")
# Refusals that the ledger cannot decide: who is a manager, who is a member, which campaign is over.
_REFUSALS = """
    WITH managed AS MATERIALIZED (
        SELECT c.id, c.status = ANY (%(statuses)s) AS is_open FROM app.campaigns AS c
        WHERE c.id = ANY (%(campaign_ids)s) AND (%(is_admin)s OR EXISTS (
            SELECT FROM app.memberships AS m
            WHERE m.campaign_id = c.id AND m.user_id = %(manager_id)s AND m.role = 'manager' AND m.left_at IS NULL))
    )
    SELECT array_agg(
        CASE
            WHEN c.id IS NULL THEN 'not_a_manager'
            WHEN NOT c.is_open THEN 'ledger_closed'
            WHEN NOT EXISTS (
                SELECT FROM app.memberships AS m
                WHERE m.campaign_id = u.campaign_id AND m.user_id = u.user_id AND m.left_at IS NULL
            ) THEN 'not_a_member'
        END
        ORDER BY u.n)
    FROM unnest(%(item_campaign_ids)b::uuid[], %(item_user_ids)b::uuid[]) WITH ORDINALITY
        AS u (campaign_id, user_id, n)
    LEFT JOIN managed AS c ON c.id = u.campaign_id
    """


class BulkItem(Schema):
    """Coins for one member of one campaign."""

    campaign_id: Id
    user_id: Id
    kind: Literal["grant", "correct"] = Field(
        "grant",
        description="grant: a wallet with the coins of the policy. correct: coins added to the wallet, or removed from it",
    )
    coins: Annotated[int, Field(ge=-COINS_MAX, le=COINS_MAX)] | None = Field(
        None, description="correction: negative to remove coins; grant: the number of the policy, or omitted"
    )
    reason: Annotated[Prose, Field(max_length=REASON_LENGTH_MAX)] | None = Field(
        None, description="required for a correction; shown to the member in the statement"
    )


class BulkAllocate(Schema):
    """Grants and corrections, which are carried out in order."""

    mode: Mode = Field(
        "atomic", description="atomic: after one refusal nothing is written. continue_on_failure: each item separately"
    )
    items: Annotated[list[BulkItem], Field(min_length=1, max_length=ITEMS_MAX)]


class BulkOutcome(ResponseModel):
    """The outcome of one item."""

    index: int = Field(description="position of the item in the request, from 0")
    outcome: str = Field(
        description="granted, corrected; already_granted if there was nothing to do; or the refusal: coins_differ, "
        "coins_missing, reason_missing, insufficient_coins, above_maximum, not_a_member, not_a_manager, ledger_closed, "
        "busy, and not_carried_out if the refusal of another item prevented this one"
    )
    detail: str | None = Field(None, description="description of the refusal")
    transfer_id: UUID | None = Field(None, description="null in a dry run, and if no coins moved")
    wallet_coins: int | None = Field(None, description="balance of the wallet afterwards")
    has_coins: int | None = None
    wants_coins: int | None = None


class BulkResponse(ResponseModel):
    """The outcomes in the order of the items, and their counts."""

    mode: Mode
    succeeded: int = Field(description="granted or corrected")
    unchanged: int = Field(description="already granted")
    refused: int
    items: list[BulkOutcome]


class BulkRefused(DomainError):
    """An atomic command in which an item was refused; nothing was written."""

    status = HTTPStatus.CONFLICT
    slug = "bulk-refused"
    title = "Nothing was carried out, because an item was refused"


@dataclass(frozen=True)
class Manager:
    """The caller; an administrator manages every campaign."""

    user_id: UUID
    is_admin: bool


async def allocate_in_bulk(
    session: AsyncSession, items: Sequence[BulkItem], *, mode: Mode, manager: Manager, is_dry_run: bool = False
) -> BulkResponse:
    """Grant and correct coins in campaigns that the caller manages.

    Raises:
        InvalidInput: more than 100 items are for one member.
        BulkRefused: the mode is atomic and an item was refused; the session must be rolled back.
    """
    most, times = Counter((item.campaign_id, item.user_id) for item in items).most_common(1)[0]
    if times > ITEMS_PER_MEMBER_MAX:
        msg = f"{times} items are for the member {most[1]}; at most {ITEMS_PER_MEMBER_MAX} are allowed for one member."
        raise InvalidInput(msg)
    corrections = await _with_refusals(session, items, manager)
    done = await correct_coins(session, corrections, actor_id=manager.user_id)
    outcomes = [
        BulkOutcome(
            index=index,
            outcome=result.outcome,
            detail=_detail(item, result),
            transfer_id=None if is_dry_run else result.transfer_id,
            wallet_coins=result.wallet_coins,
            has_coins=result.has_coins if result.outcome == "insufficient_coins" else None,
            wants_coins=-(item.coins or 0) if result.outcome == "insufficient_coins" else None,
        )
        for index, (item, result) in enumerate(zip(items, done, strict=True))
    ]
    counts = Counter(_class_of(outcome.outcome) for outcome in outcomes)
    if mode == "atomic" and counts["refused"]:
        undone = [_not_carried_out(outcome) for outcome in outcomes]
        msg = f"{counts['refused']} of {len(items)} items were refused, so none was carried out."
        raise BulkRefused(
            msg,
            refused=counts["refused"],
            items=[outcome.model_dump(mode="json", exclude_none=True) for outcome in undone],
        )
    return BulkResponse(
        mode=mode,
        succeeded=counts["succeeded"],
        unchanged=counts["unchanged"],
        refused=counts["refused"],
        items=outcomes,
    )


async def _with_refusals(session: AsyncSession, items: Sequence[BulkItem], manager: Manager) -> list[Correction]:
    """The items for the ledger, with the refusals that it cannot decide."""
    campaign_ids = list({item.campaign_id for item in items})
    await session.execute(_LOCK, {"campaign_ids": campaign_ids})
    # the driver's own placeholders: binary encoding of ten thousand ids takes a tenth of the time of text
    found = await (await session.connection()).exec_driver_sql(
        _REFUSALS,
        {
            "campaign_ids": campaign_ids,
            "statuses": statuses_with(Command.GRANT_COINS),
            "manager_id": manager.user_id,
            "is_admin": manager.is_admin,
            "item_campaign_ids": [item.campaign_id for item in items],
            "item_user_ids": [item.user_id for item in items],
        },
    )
    refusals: list[str | None] = found.scalar_one()
    return [
        Correction(item.campaign_id, item.user_id, item.kind, item.coins, item.reason, refusal)
        for item, refusal in zip(items, refusals, strict=True)
    ]


def _class_of(outcome: str) -> Literal["succeeded", "unchanged", "refused"]:
    if outcome in {"granted", "corrected"}:
        return "succeeded"
    return "unchanged" if outcome == "already_granted" else "refused"


def _not_carried_out(outcome: BulkOutcome) -> BulkOutcome:
    """The outcome after the rollback of an atomic command: without transfer and balance, which were not kept."""
    if _class_of(outcome.outcome) != "succeeded":
        return outcome.model_copy(update={"wallet_coins": None})
    return BulkOutcome(index=outcome.index, outcome="not_carried_out")


def _detail(item: BulkItem, result: Corrected) -> str | None:  # noqa: PLR0911 - a table of refusals
    match result.outcome:
        case "not_a_manager":
            return "There is no campaign with this id that you manage."
        case "not_a_member":
            return "The user is not a member of this campaign with a wallet."
        case "ledger_closed":
            return "The campaign is over; its coins are settled."
        case "reason_missing":
            return "A correction needs a reason."
        case "coins_missing":
            return "A correction needs a number of coins other than 0."
        case "coins_differ":
            return f"The policy grants {result.policy_coins} coins to a member; omit `coins`, or use that number."
        case "insufficient_coins":
            return f"The wallet has {result.has_coins} coins; the correction would take {-(item.coins or 0)}."
        case "above_maximum":
            return f"The wallet has {result.has_coins} coins; the correction would exceed its limit."
        case "busy":
            return "The wallet or the campaign's ledger is locked by another change; try again."
    return None
