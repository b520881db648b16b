"""A preview of a coin policy: the ballots of a campaign under other rules."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from api.coins import service as coins
from api.coins.policies import idea_max_coins
from api.ideas.steps import PUBLIC, Status
from api.kernel.schemas import ResponseModel
from pipelines.outcomes.replay import Limit, Limits, Replay, replay, totals_of
from pipelines.privacy import GROUP_SIZE_MIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign
    from api.coins.policies import PolicyWrite

IDEAS_MAX = 200
_ACCEPTED = {Status.ACCEPTED, Status.IN_PROGRESS, Status.COMPLETE, Status.STOPPED}

_RETURNED = {Status.REJECTED, Status.WITHDRAWN}

# of two ideas with equal coins the earlier one has the better place
_IDEAS = text(
    """
    SELECT i.id, i.title, i.author_id, i.status FROM app.ideas AS i
    WHERE i.campaign_id = :campaign_id AND i.status = ANY (:statuses)
    ORDER BY i.submitted_at, i.id
    """
)


@dataclass(frozen=True)
class _Idea:
    id: UUID
    title: str
    author_id: UUID | None
    status: str


class LimitEffect(ResponseModel):
    """What a limit of the policy would take from the ballots."""

    field: Limit
    members: int | None = Field(description="members who would have fewer coins on ideas; null for 1 to 4")
    coins: int | None = Field(description="coins that they could not have put there; null with `members`")


class MovedIdea(ResponseModel):
    """An idea with another place, or one whose acceptance the policy would have refused."""

    idea_id: UUID
    title: str
    status: str
    place: int = Field(
        description="by coins, from 1; of two ideas with equal coins the earlier one is before the other"
    )
    place_under_policy: int
    lacks_support: bool = Field(
        description="it was accepted, and accept_threshold_coins or backers_min would refuse it"
    )


class PolicyPreview(ResponseModel):
    """The ballots of a campaign under a coin policy. Nothing is changed by it."""

    voters: int = Field(description="members with coins on ideas")
    staked_coins: int
    limits: list[LimitEffect] = Field(description="in the order in which they are applied")
    expired_coins: int | None = Field(
        description="coins on accepted ideas, and with returned_coins expire also those on rejected and withdrawn ones; null if "
        "only 1 to 4 members would have coins on ideas"
    )
    ideas: int = Field(description="ideas that were compared")
    moved_ideas: int = Field(description="ideas that would have another place")
    unsupported_ideas: int = Field(description="accepted ideas that would lack coins or backers")
    moved: list[MovedIdea] = Field(description="these ideas by their place, 200 at most")


async def preview_policy(session: AsyncSession, campaign: Campaign, policy: PolicyWrite) -> PolicyPreview:
    """The coins on the ideas of the campaign, now or when they were settled, under the limits and the support of a policy.

    The connection is returned before the ballots are counted. The times of movements are not part of it.
    """
    # coins that returned were put elsewhere, unless the policy lets them expire
    statuses = PUBLIC | (_RETURNED if policy.returned_coins == "expire" else frozenset())
    rows = await session.execute(_IDEAS, {"campaign_id": campaign.id, "statuses": sorted(statuses)})
    ideas = [_Idea(row.id, row.title, row.author_id, row.status) for row in rows]
    stakes = await coins.list_stakes(session, campaign.id)
    await session.close()  # returns its connection
    return await asyncio.to_thread(_count, ideas, stakes, policy)


def _count(ideas: Sequence[_Idea], stakes: Sequence[coins.MemberStake], policy: PolicyWrite) -> PolicyPreview:
    known = {idea.id for idea in ideas}
    ballots: dict[UUID, dict[UUID, int]] = defaultdict(dict)
    for stake in stakes:
        if stake.idea_id in known:
            ballots[stake.user_id][stake.idea_id] = stake.coins
    found = replay(ballots, {idea.id: idea.author_id for idea in ideas}, _limits_of(policy))
    before, after = totals_of(ballots), found.totals()
    compared = [idea for idea in ideas if idea.status in PUBLIC]
    places, places_after = _places(compared, before), _places(compared, after)
    needs = policy.accept_threshold_coins or 0, policy.backers_min
    listed = []
    for idea in compared:
        had_coins, had_backers = after.get(idea.id, (0, 0))
        moved = MovedIdea(
            idea_id=idea.id,
            title=idea.title,
            status=idea.status,
            place=places[idea.id],
            place_under_policy=places_after[idea.id],
            lacks_support=idea.status in _ACCEPTED and (had_coins < needs[0] or had_backers < needs[1]),
        )
        if moved.place != moved.place_under_policy or moved.lacks_support:
            listed.append(moved)
    return PolicyPreview(
        voters=len(ballots),
        staked_coins=sum(total for total, _ in before.values()),
        limits=[_effect(limit, found) for limit in Limit],
        expired_coins=_expired(ideas, after, found),
        ideas=len(compared),
        moved_ideas=sum(idea.place != idea.place_under_policy for idea in listed),
        unsupported_ideas=sum(idea.lacks_support for idea in listed),
        moved=sorted(listed, key=lambda idea: idea.place)[:IDEAS_MAX],
    )


def _limits_of(policy: PolicyWrite) -> Limits:
    """The limits of a policy, with a percentage as coins."""
    return Limits(policy.coins_per_member, policy.coins_per_allocation_min, idea_max_coins(policy), policy.own_ideas)


def _places(ideas: Sequence[_Idea], totals: Mapping[UUID, tuple[int, int]]) -> dict[UUID, int]:
    ordered = sorted(ideas, key=lambda idea: -totals.get(idea.id, (0, 0))[0])
    return {idea.id: place for place, idea in enumerate(ordered, start=1)}


def _effect(limit: Limit, found: Replay[UUID, UUID]) -> LimitEffect:
    taken = found.taken[limit]
    is_hidden = 0 < taken.members < GROUP_SIZE_MIN
    return LimitEffect(
        field=limit,
        members=None if is_hidden else taken.members,
        coins=None if is_hidden else taken.coins,
    )


def _expired(ideas: Sequence[_Idea], totals: Mapping[UUID, tuple[int, int]], found: Replay[UUID, UUID]) -> int | None:
    if 0 < len(found.ballots) < GROUP_SIZE_MIN:
        return None
    return sum(totals.get(idea.id, (0, 0))[0] for idea in ideas if idea.status in _ACCEPTED | _RETURNED)
