"""The interface of ideas: submissions, edits and changes of the status in modules of their own; completion and valuations here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from api.campaigns import service as campaigns
from api.coins import service as coins
from api.events import payloads
from api.events.service import record_event
from api.ideas import errors
from api.ideas.editing import check_text_editable, edit_idea, restore_version
from api.ideas.material import mark_version
from api.ideas.models import Idea, IdeaValuation
from api.ideas.owners import find_owner, set_owner
from api.ideas.publication import Decision, excerpt, find_public_titles, find_readable, list_decisions, list_newest
from api.ideas.queries import NOT_FOUND, check_submitted, find_merged_into, get_idea
from api.ideas.steps import Status
from api.ideas.submissions import delete_draft, draft_idea, resubmit_idea, submit_idea
from api.ideas.texts import render_markdown
from api.ideas.transitions import take_step
from api.kernel import clock
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

__all__ = [
    "NOT_FOUND",
    "Decision",
    "check_submitted",
    "check_text_editable",
    "complete_campaign",
    "delete_draft",
    "draft_idea",
    "edit_idea",
    "excerpt",
    "find_merged_into",
    "find_owner",
    "find_public_titles",
    "find_readable",
    "get_idea",
    "list_decisions",
    "list_newest",
    "mark_version",
    "record_valuation",
    "render_markdown",
    "restore_version",
    "resubmit_idea",
    "set_owner",
    "submit_idea",
    "take_step",
]


@dataclass(frozen=True)
class Completion:
    """A completed campaign, and what its completion changed."""

    campaign: Campaign
    ideas: int
    coins: int
    members: int


async def complete_campaign(session: AsyncSession, campaign: Campaign, *, actor_id: UUID | None) -> Completion:
    """Complete a campaign: undecided ideas become not selected, and all remaining coins expire.

    `actor_id` is None if the worker completes it at `decide_by`.

    Raises:
        GraceRunning: backers of an idea may take their coins back after a material edit.
    """
    campaign = await campaigns.get_campaign(session, campaign.id, lock="change")  # no coins are granted meanwhile
    remaining = await coins.get_remaining(session, campaign.id)
    campaign = await campaigns.mark_completed(session, campaign, actor_id=actor_id)
    undecided = await session.scalars(
        select(Idea)
        .where(Idea.campaign_id == campaign.id, Idea.status.in_([Status.PENDING, Status.COMPETING]))
        .order_by(Idea.id)
    )
    ideas = undecided.all()
    for idea in ideas:
        await take_step(session, idea, Status.NOT_SELECTED, actor_id=actor_id)
    return Completion(campaign, len(ideas), remaining.coins, remaining.members)


async def record_valuation(
    session: AsyncSession,
    idea: Idea,
    *,
    actor_id: UUID,
    kind: str,
    amount: Decimal,
    currency: str,
    valued_on: date,
    source: str,
) -> IdeaValuation:
    """Record a cost or return of an idea, as known on a day; the latest day of each kind is the current one.

    Raises:
        NotSubmitted: the idea is a draft.
        OtherCurrency: earlier valuations of this idea are in another currency, so the ROI could not be computed.
    """
    check_submitted(idea)
    # two first valuations at once would both find no other currency
    await session.execute(select(Idea.id).where(Idea.id == idea.id).with_for_update())
    other = await session.scalar(
        select(IdeaValuation.currency)
        .where(IdeaValuation.idea_id == idea.id, IdeaValuation.currency != currency)
        .limit(1)
    )
    if other is not None:
        msg = f"The valuations of this idea are in {other}; give {kind} in {other} as well."
        raise errors.OtherCurrency(msg, currency=other)
    valuation = IdeaValuation(
        id=uuid7(),
        idea_id=idea.id,
        kind=kind,
        amount=amount,
        currency=currency,
        valued_on=valued_on,
        source=source,
        recorded_at=clock.now(),
        recorded_by=actor_id,
    )
    session.add(valuation)
    await session.flush()
    await record_event(
        session,
        payloads.IdeaValued(valuation_id=valuation.id, valuation=kind, amount=amount, currency=currency),
        actor_id=actor_id,
        campaign_id=idea.campaign_id,
        idea_id=idea.id,
    )
    return valuation
