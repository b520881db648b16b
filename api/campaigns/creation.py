"""Creation of a campaign with its ledger and its first manager."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from api.campaigns import errors
from api.campaigns.dates import Dates
from api.campaigns.models import Campaign, Membership
from api.campaigns.transitions import check_dates
from api.coins import service as coins
from api.coins.policies import PolicyWrite
from api.events import payloads
from api.events.service import record_event
from api.kernel.ids import uuid7
from api.kernel.slugs import SLUG_LENGTH_MAX, slug_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncSession


async def create_campaign(
    session: AsyncSession,
    *,
    actor_id: UUID,
    title: str,
    slug: str | None = None,
    starts_at: datetime | None = None,
    submissions_close_at: datetime | None = None,
    ends_at: datetime | None = None,
    decide_by: datetime | None = None,
    policy: PolicyWrite | None = None,
    attributes: dict[str, Any] | None = None,
    **settings: Any,
) -> Campaign:
    """Create a draft campaign with its ledger. The actor becomes its manager; `attributes` belong to that membership.

    `settings` are further columns of the campaign by name, such as `description` and `budget_amount`.

    Raises:
        SlugTaken: a slug was given and another campaign has it.
        DatesOutOfOrder: the dates contradict each other or the coin policy.
    """
    policy = policy or PolicyWrite()
    dates = Dates(starts_at=starts_at, submissions_close_at=submissions_close_at, ends_at=ends_at, decide_by=decide_by)
    check_dates(dates, policy)
    campaign = await _insert_campaign(
        session,
        slug,
        title=title,
        starts_at=starts_at,
        submissions_close_at=submissions_close_at,
        ends_at=ends_at,
        decide_by=decide_by,
        created_by=actor_id,
        updated_by=actor_id,
        **settings,
    )
    await coins.open_ledger(session, campaign.id, policy, actor_id=actor_id)
    await coins.set_window(session, campaign.id, opens_at=starts_at, closes_at=ends_at)
    session.add(
        Membership(
            campaign_id=campaign.id,
            user_id=actor_id,
            role="manager",
            attributes=attributes or {},
            created_by=actor_id,
            updated_by=actor_id,
        )
    )
    await session.flush()
    await record_event(
        session,
        payloads.CampaignCreated(
            slug_given=slug is not None,
            after=payloads.CampaignState(status=campaign.status, coin_policy=policy.model_dump(mode="json")),
        ),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    await record_event(
        session, payloads.MemberJoined(role="manager"), actor_id=actor_id, campaign_id=campaign.id, user_id=actor_id
    )
    return campaign


async def _insert_campaign(session: AsyncSession, slug: str | None, *, title: str, **columns: Any) -> Campaign:
    """Insert a campaign with the given slug, or with one from its title that no other campaign has.

    Raises:
        SlugTaken: the given slug is taken.
    """
    chosen = slug or await _free_slug(session, title)
    while True:
        campaign = Campaign(id=uuid7(), slug=chosen, title=title, **columns)
        try:
            async with session.begin_nested():
                session.add(campaign)
                await session.flush()
        except IntegrityError as error:
            if "uq_campaigns_slug" not in str(error.orig):
                raise
            if slug is not None:
                raise errors.SlugTaken.of(slug) from error
            # another request of the same moment took it
            chosen = f"{_slug_of_title(title)}-{uuid7().hex[-6:]}"
        else:
            return campaign


async def _free_slug(session: AsyncSession, title: str) -> str:
    slug = _slug_of_title(title)
    taken = set(await session.scalars(select(Campaign.slug).where(Campaign.slug.startswith(slug, autoescape=True))))
    return slug if slug not in taken else f"{slug}-{uuid7().hex[-6:]}"


def _slug_of_title(title: str) -> str:
    slug = slug_of(title, SLUG_LENGTH_MAX - len("-abcdef")) or "campaign"
    return slug if len(slug) >= 3 else f"{slug}-campaign"
