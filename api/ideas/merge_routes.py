"""Routes of merges of ideas."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self
from uuid import UUID

from fastapi import Depends
from pydantic import Field, model_validator

from api.auth import service as auth
from api.campaigns.errors import CampaignNotActive
from api.coins import service as coins
from api.coins.errors import GraceRunning
from api.coins.policies import idea_max_coins
from api.ideas import errors
from api.ideas.dependencies import IdeaAccess, find_audience, requires_on_idea
from api.ideas.merging import Merge, merge_ideas, undo_merge
from api.ideas.schemas import Reason
from api.ideas.steps import Status
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.schemas import Id, ResponseModel, Schema, Stored
from api.kernel.web import DryRun, Session
from api.kernel.web import router as new_router

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.models import IdeaMergeSource

router = new_router("", "ideas")

IDEAS_MAX = 100
MEMBERS_SHOWN_MAX = 1000
Manager = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.MANAGE_IDEAS))]


class IdeasToMerge(Schema):
    """The ideas that become merged into the idea of the path, and why."""

    idea_ids: Annotated[list[Id], Field(min_length=1, max_length=IDEAS_MAX)]
    reason: Reason

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.idea_ids)) < len(self.idea_ids):
            msg = "idea_ids has an id twice"
            raise ValueError(msg)
        return self


class MergeUndo(Schema):
    """Why a merge is undone."""

    reason: Reason


class MergedIdeaRead(ResponseModel):
    """An idea of a merge, with what it was before."""

    idea_id: UUID
    from_status: Stored[Status]
    stake_coins: int = Field(description="coins on it before")
    backers: int
    returned_coins: int = Field(description="those of them that returned to wallets; the others are on the target")


class MergedStakeRead(ResponseModel):
    """A member's coins on one idea."""

    idea_id: UUID
    coins: int


class MergedMemberRead(ResponseModel):
    """A member with coins on the merged ideas."""

    user_id: UUID
    display_name: str | None = None
    stakes: list[MergedStakeRead] = Field(description="on each of the ideas before, the target included")
    kept_coins: int = Field(description="on the target afterwards")
    returned_coins: int = Field(description="to the wallet")


class MergeRead(ResponseModel):
    """A merge, and what it did with the coins."""

    id: UUID
    target_id: UUID
    merged_at: datetime
    reason: str
    sources: list[MergedIdeaRead]
    moved_coins: int = Field(description="coins of the merged ideas that are now on the target")
    returned_coins: int = Field(
        description="coins that returned to the wallets: above the maximum per member and idea, or of the target's author"
    )
    backers: int = Field(description="members with coins on the merged ideas")
    members_on_several: int = Field(
        description="those of them with coins on more than one of the ideas, target included"
    )
    members_with_returns: int
    idea_max_coins: int | None = Field(
        description="the maximum of a member's coins on one idea by the coin policy; null if it has none"
    )
    members: list[MergedMemberRead] | None = Field(
        description=f"at most {MEMBERS_SHOWN_MAX}, those with returned coins first; null if the coin policy's "
        "stakes_visible_to does not show them to me"
    )


class UndoneMergeRead(ResponseModel):
    """A merge that was undone."""

    id: UUID
    target_id: UUID
    merged_at: datetime
    reason: str
    undone_at: datetime
    undo_reason: str
    sources: list[MergedIdeaRead]


@router.post("/ideas/{idea_id}/merge", operation_id="mergeIdeas")
@raises(CampaignNotActive, errors.IdeaNotFound, errors.NotMergeable, GraceRunning)
async def merge(session: Session, access: Manager, body: IdeasToMerge, dry_run: DryRun) -> MergeRead:  # noqa: ARG001
    """Merge pending or competing ideas into this one, with their coins. `dry_run=true` is the preview, with the same response.

    The coins move in one transaction. A member on several of the ideas keeps the sum, up to the maximum of the coin policy; what is
    above it, and coins of this idea's author if the policy does not allow own ideas, return to the wallets. The ideas become
    `merged` and say so by `merged_into_id`; their followers follow this idea. Comments, versions, tags and files stay with their idea.
    """
    done = await merge_ideas(
        session, access.idea, body.idea_ids, actor_id=access.campaign.caller.user_id, reason=body.reason
    )
    return await _read(session, access, done)


@router.post("/ideas/{idea_id}/merge/undo", operation_id="undoMerge")
@raises(CampaignNotActive, errors.NotMerged, errors.NotMergeable, errors.UndoWindowOver, errors.MergeMoved)
async def undo(session: Session, access: Manager, body: MergeUndo, dry_run: DryRun) -> UndoneMergeRead:  # noqa: ARG001
    """Undo the last merge into this idea, within the undo window of the coin policy.

    It is refused with `merge-moved` if coins on this idea, or coins that the merge returned to wallets, have moved since.
    """
    _, sees_stakes = await find_audience(session, access)
    done, sources = await undo_merge(
        session,
        access.idea,
        actor_id=access.campaign.caller.user_id,
        reason=body.reason,
        sees_stakes=sees_stakes,
    )
    assert done.undone_at is not None
    assert done.undo_reason is not None
    return UndoneMergeRead(
        id=done.id,
        target_id=done.target_id,
        merged_at=done.merged_at,
        reason=done.reason,
        undone_at=done.undone_at,
        undo_reason=done.undo_reason,
        sources=_read_sources(sources),
    )


async def _read(session: AsyncSession, access: IdeaAccess, done: Merge) -> MergeRead:
    _, sees_stakes = await find_audience(session, access)
    policy = await coins.get_policy(session, done.merge.campaign_id)
    members = done.members
    shown = None
    if sees_stakes:
        shown = [_read_member(done, member) for member in members[:MEMBERS_SHOWN_MAX]]
        await auth.add_names(session, shown, user_id="display_name")
    returned = sum(source.returned_coins for source in done.sources)
    return MergeRead(
        id=done.merge.id,
        target_id=done.merge.target_id,
        merged_at=done.merge.merged_at,
        reason=done.merge.reason,
        sources=_read_sources(done.sources),
        moved_coins=sum(source.stake_coins for source in done.sources) - returned,
        returned_coins=returned,
        backers=len(members),
        members_on_several=sum(len(member.stakes) + (member.before_coins > 0) > 1 for member in members),
        members_with_returns=sum(member.returned_coins > 0 for member in members),
        idea_max_coins=idea_max_coins(policy),
        members=shown,
    )


def _read_sources(sources: list[IdeaMergeSource]) -> list[MergedIdeaRead]:
    return [MergedIdeaRead.model_validate(source) for source in sources]


def _read_member(done: Merge, member: coins.MergedMember) -> MergedMemberRead:
    stakes = member.stakes | ({done.merge.target_id: member.before_coins} if member.before_coins else {})
    return MergedMemberRead(
        user_id=member.user_id,
        stakes=[MergedStakeRead(idea_id=idea_id, coins=stake) for idea_id, stake in sorted(stakes.items())],
        kept_coins=member.after_coins,
        returned_coins=member.returned_coins,
    )
