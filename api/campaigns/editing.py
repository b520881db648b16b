"""Changes of the texts, settings and dates of a campaign, copies of it, and the deletion of a draft."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from psycopg.errors import ForeignKeyViolation
from sqlalchemy import delete
from sqlalchemy.exc import IntegrityError

from api.campaigns import errors
from api.campaigns.attributes.definitions import copy_definitions
from api.campaigns.covers import copy_cover
from api.campaigns.creation import create_campaign
from api.campaigns.dates import NAMES
from api.campaigns.lifecycle import CampaignStatus, Command
from api.campaigns.models import Campaign, Membership
from api.campaigns.queries import get_campaign
from api.campaigns.schemas import check_money
from api.campaigns.transitions import change_dates, check_command
from api.coins import service as coins
from api.events import payloads
from api.events.service import record_event
from api.kernel.errors import InvalidInput
from api.kernel.preconditions import UNCONDITIONAL, Condition

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.schemas import CampaignCreate

_OF_DRAFTS = frozenset({"slug", "currency"})
_MONEY = ("budget_amount", "running_cost_amount", "currency")
# a copy has the policy of its original, without dates
_COPIED = (
    "description", "kind", "goal", "is_mediated", "anonymous_ideas", "visibility", "join_policy", "budget_amount",
    "running_cost_amount", "currency", "eligible_people", "locale", "time_zone",
)  # fmt: skip


async def edit_campaign(
    session: AsyncSession,
    campaign: Campaign,
    changes: dict[str, Any],
    *,
    actor_id: UUID,
    condition: Condition = UNCONDITIONAL,
) -> Campaign:
    """Change fields by their names. Equal values change nothing; without a change there is no new version and no event.

    Raises:
        VersionChanged: `condition` does not accept the present version.
        CampaignNotActive: the campaign is completed or archived.
        CampaignFixed: the slug or the currency would change, and the campaign is no draft.
        SlugTaken: another campaign has the slug.
        DatesOutOfOrder: the dates would contradict each other or the coin policy.
        InvalidInput: an amount would have no currency, or more decimals than it.
    """
    campaign = await get_campaign(session, campaign.id, lock="change")
    condition.check(campaign.version)
    await check_command(session, campaign, Command.EDIT)
    changed = {name: value for name, value in changes.items() if value != getattr(campaign, name)}
    if not changed:
        return campaign
    fixed = sorted(_OF_DRAFTS & changed.keys())
    if fixed and campaign.status != CampaignStatus.DRAFT:
        msg = f"The campaign is {campaign.status}; {' and '.join(fixed)} can be changed only while it is a draft."
        raise errors.CampaignFixed(msg, fields=fixed)
    _check_money({name: getattr(campaign, name) for name in _MONEY} | changed)
    campaign.version += 1
    campaign.updated_by = actor_id
    if texts := {name: value for name, value in changed.items() if name not in NAMES}:
        await _set_fields(session, campaign, texts)
        payload = payloads.CampaignEdited(fields=tuple(sorted(texts)))
        await record_event(session, payload, actor_id=actor_id, campaign_id=campaign.id)
    if dates := {name: value for name, value in changed.items() if name in NAMES}:
        await change_dates(session, campaign, dates, actor_id=actor_id)
    return campaign


def _check_money(money: dict[str, Any]) -> None:
    try:
        check_money(SimpleNamespace(**{name: money[name] for name in _MONEY}))
    except ValueError as error:
        msg = f"{error}."
        raise InvalidInput(msg) from error


async def _set_fields(session: AsyncSession, campaign: Campaign, fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        setattr(campaign, name, value)
    slug = campaign.slug
    try:
        await session.flush()
    except IntegrityError as error:
        if "uq_campaigns_slug" not in str(error.orig):
            raise
        raise errors.SlugTaken.of(slug) from error


async def copy_campaign(session: AsyncSession, copied: Campaign, body: CampaignCreate, *, actor_id: UUID) -> Campaign:
    """Create a draft with the given fields; omitted settings, and an omitted coin policy, are those of another campaign.

    So are its cover picture and the attributes that it defines for its members. Its dates, members, ideas and coins are not copied.

    Raises:
        SlugTaken: a slug was given and another campaign has it.
        DatesOutOfOrder: the dates contradict each other or the coin policy.
        InvalidInput: an amount would have no currency, or more decimals than it.
    """
    given = body.model_dump(exclude={"coin_policy", "copy_of", "is_follow_up"}, exclude_unset=True)
    fields = {name: getattr(copied, name) for name in _COPIED} | given
    _check_money(fields)
    policy = body.coin_policy
    if "coin_policy" not in body.model_fields_set:
        policy = (await coins.get_policy(session, copied.id)).without_dates()
    campaign = await create_campaign(
        session,
        actor_id=actor_id,
        policy=policy,
        copied_from_id=copied.id,
        follows_id=copied.id if body.is_follow_up else None,
        **fields,
    )
    await copy_cover(session, copied.id, campaign.id, actor_id=actor_id)
    await copy_definitions(session, copied.id, campaign.id, actor_id=actor_id)
    return campaign


async def delete_draft(session: AsyncSession, campaign: Campaign, *, actor_id: UUID) -> None:
    """Delete a draft with its memberships and its ledger. Its events are kept.

    Raises:
        CampaignKept: the campaign was active, or has coins or ideas.
    """
    campaign = await get_campaign(session, campaign.id, lock="change")
    if campaign.status != CampaignStatus.DRAFT:
        state = f"is {campaign.status}"
        raise errors.CampaignKept.of(state)
    if not await coins.delete_ledger(session, campaign.id):
        raise errors.CampaignKept.of("has members with coins")
    try:
        await session.execute(delete(Membership).where(Membership.campaign_id == campaign.id))
        await session.execute(delete(Campaign).where(Campaign.id == campaign.id))
    except IntegrityError as error:
        if not isinstance(error.orig, ForeignKeyViolation):
            raise
        raise errors.CampaignKept.of("has ideas") from error
    await record_event(session, payloads.CampaignDeleted(), actor_id=actor_id, campaign_id=campaign.id)
