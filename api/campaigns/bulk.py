"""Grants and corrections of coins for many members of the campaigns that the caller manages."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import text

from api.auth import service as auth
from api.campaigns.lifecycle import Command, statuses_with
from api.coins.commands.corrections import ITEMS_PER_MEMBER_MAX, Corrected, Correction, correct_coins
from api.coins.schemas import COINS_MAX
from api.coins.service import find_disclosing_campaigns
from api.kernel.errors import DomainError, InvalidInput
from api.kernel.permissions import TAKING_PART
from api.kernel.schemas import Id, ResponseModel, Schema
from api.kernel.texts import Line, Prose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

ITEMS_MAX = 10_000
REASON_LENGTH_MAX = 200
NO_USER = UUID(int=0)

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
                    AND m.role = ANY (%(roles)s)
            ) THEN 'not_a_member'
        END
        ORDER BY u.n)
    FROM unnest(%(item_campaign_ids)b::uuid[], %(item_user_ids)b::uuid[]) WITH ORDINALITY
        AS u (campaign_id, user_id, n)
    LEFT JOIN managed AS c ON c.id = u.campaign_id
    """


_DETAILS = {
    "not_a_manager": "There is no campaign with this id that you manage.",
    "not_a_member": "The user is not a member of this campaign with a wallet.",
    "ledger_closed": "The campaign is over; its coins are settled.",
    "too_late": "Members who join now get no coins (late_grant of the coin policy).",
    "reason_missing": "A correction needs a reason.",
    "coins_missing": "A correction needs a number of coins other than 0.",
    "above_maximum": "The correction would exceed the limit of a wallet.",
    "busy": "The wallet or the campaign's ledger is locked by another change; try again.",
    "undisclosed": "The coin policy shows the balance of this wallet to its member only, so a dry run does not check it.",
}


class BulkItem(Schema):
    """Coins for one member of one campaign."""

    campaign_id: Id
    user_id: Id | None = Field(None, description="the member; or give the address")
    email: Annotated[Line, Field(max_length=254)] | None = Field(
        None, description="the address of the member's account"
    )
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

    @model_validator(mode="after")
    def _one_member(self) -> Self:
        if (self.user_id is None) == (self.email is None):
            msg = "name the member by either user_id or email"
            raise ValueError(msg)
        return self


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
        description="granted, corrected; already_granted if there was nothing to do; or the refusal: coins_differ, too_late, "
        "coins_missing, reason_missing, insufficient_coins, above_maximum, not_a_member, not_a_manager, ledger_closed, "
        "busy, and not_carried_out if the refusal of another item prevented this one. In a dry run undisclosed: coins would "
        "be removed from a wallet whose balance the coin policy shows to its member only"
    )
    detail: str | None = Field(None, description="description of the refusal")
    transfer_id: UUID | None = Field(None, description="null in a dry run, and if no coins moved")
    wallet_coins: int | None = Field(
        None, description="balance of the wallet afterwards; omitted if the coin policy's stakes_visible_to is self"
    )
    has_coins: int | None = Field(None, description="omitted if the coin policy's stakes_visible_to is self")
    wants_coins: int | None = None


class BulkResponse(ResponseModel):
    """The outcomes in the order of the items, and their counts."""

    mode: Mode
    succeeded: int = Field(description="granted or corrected")
    unchanged: int = Field(description="already granted")
    undisclosed: int = Field(description="in a dry run: coins that the wallet may lack, see `outcome`")
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
    user_ids = await _find_members(session, items)
    _check_repetitions(items, user_ids)
    corrections = await _with_refusals(session, items, user_ids, manager)
    done = await correct_coins(session, corrections, actor_id=manager.user_id)
    disclosing = await find_disclosing_campaigns(session, {item.campaign_id for item in items})
    outcomes = [
        _outcome(index, item, result, is_disclosed=item.campaign_id in disclosing, is_dry_run=is_dry_run)
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
        undisclosed=counts["undisclosed"],
        refused=counts["refused"],
        items=outcomes,
    )


def _outcome(index: int, item: BulkItem, result: Corrected, *, is_disclosed: bool, is_dry_run: bool) -> BulkOutcome:
    """The outcome that the manager may see. A dry run could be repeated without a trace until it names the balance."""
    outcome = result.outcome
    if (
        is_dry_run
        and not is_disclosed
        and (outcome == "insufficient_coins" or (outcome == "corrected" and (item.coins or 0) < 0))
    ):
        outcome = "undisclosed"
    is_short = outcome == "insufficient_coins"
    return BulkOutcome(
        index=index,
        outcome=outcome,
        detail=_detail(item, result, outcome, is_disclosed=is_disclosed),
        transfer_id=None if is_dry_run else result.transfer_id,
        wallet_coins=result.wallet_coins if is_disclosed else None,
        has_coins=result.has_coins if is_short and is_disclosed else None,
        wants_coins=-(item.coins or 0) if is_short else None,
    )


def _check_repetitions(items: Sequence[BulkItem], user_ids: Sequence[UUID]) -> None:
    named = Counter((item.campaign_id, user_id) for item, user_id in zip(items, user_ids, strict=True))
    for (_, user_id), times in named.most_common(2):
        if times > ITEMS_PER_MEMBER_MAX and user_id != NO_USER:
            msg = f"{times} items are for the member {user_id}; at most {ITEMS_PER_MEMBER_MAX} are allowed for one member."
            raise InvalidInput(msg)


async def _find_members(session: AsyncSession, items: Sequence[BulkItem]) -> list[UUID]:
    """The user of each item. An address without an account gets an id that no user has, as does an unknown id."""
    known = await auth.find_ids_by_email(session, [item.email for item in items if item.email is not None])
    return [item.user_id or known.get((item.email or "").lower(), NO_USER) for item in items]


async def _with_refusals(
    session: AsyncSession, items: Sequence[BulkItem], user_ids: Sequence[UUID], manager: Manager
) -> list[Correction]:
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
            "item_user_ids": user_ids,
            "roles": list(TAKING_PART),
        },
    )
    refusals: list[str | None] = found.scalar_one()
    return [
        Correction(item.campaign_id, user_id, item.kind, item.coins, item.reason, refusal)
        for item, user_id, refusal in zip(items, user_ids, refusals, strict=True)
    ]


def _class_of(outcome: str) -> Literal["succeeded", "unchanged", "undisclosed", "refused"]:
    match outcome:
        case "granted" | "corrected":
            return "succeeded"
        case "already_granted":
            return "unchanged"
        case "undisclosed":
            return "undisclosed"
    return "refused"


def _not_carried_out(outcome: BulkOutcome) -> BulkOutcome:
    """The outcome after the rollback of an atomic command: without transfer and balance, which were not kept."""
    if _class_of(outcome.outcome) != "succeeded":
        return outcome.model_copy(update={"wallet_coins": None})
    return BulkOutcome(index=outcome.index, outcome="not_carried_out")


def _detail(item: BulkItem, result: Corrected, outcome: str, *, is_disclosed: bool) -> str | None:
    match outcome:
        case "coins_differ":
            return f"The policy grants {result.policy_coins} coins to a member; omit `coins`, or use that number."
        case "insufficient_coins":
            balance = f"{result.has_coins} coins" if is_disclosed else "fewer coins"
            return f"The wallet has {balance}; the correction would take {-(item.coins or 0)}."
    return _DETAILS.get(outcome)
