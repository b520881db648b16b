"""Commands on many ideas of a campaign, each with a result of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select

from api.campaigns import service as campaigns
from api.coins import service as coins
from api.ideas import errors
from api.ideas.approval import check_pending, request_changes
from api.ideas.editing import tag_idea
from api.ideas.labels import IDEA_TAGS_MAX
from api.ideas.models import Idea
from api.ideas.owners import set_owner
from api.ideas.queries import get_idea
from api.ideas.schemas import Reason, ReasonCode, Tag
from api.ideas.steps import Status
from api.ideas.transitions import take_step
from api.kernel.errors import TYPE_PREFIX, DomainError
from api.kernel.permissions import Permission
from api.kernel.schemas import Id, ResponseModel, Schema

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

IDEAS_MAX = 100
Action = Literal["approve", "reject", "ask_for_changes", "tag", "untag", "status", "assign"]
PERMISSION_OF: Mapping[Action, Permission] = MappingProxyType(
    {
        "approve": Permission.APPROVE_IDEAS,
        "reject": Permission.MANAGE_IDEAS,
        "ask_for_changes": Permission.APPROVE_IDEAS,
        "tag": Permission.TAG_IDEAS,
        "untag": Permission.TAG_IDEAS,
        "status": Permission.MANAGE_IDEAS,
        "assign": Permission.MANAGE_IDEAS,
    }
)
"""The permission that each action needs."""
_TAGGING: frozenset[Action] = frozenset({"tag", "untag"})
_WITH_REASON: frozenset[Action] = frozenset({"reject", "ask_for_changes"})
_MOVING_COINS: frozenset[Action] = frozenset({"reject", "status"})
BulkStatus = Literal["competing", "rejected", "accepted", "in_progress", "complete", "stopped"]


class BulkIdeas(Schema):
    """An action and the ideas to which it applies."""

    action: Action
    idea_ids: Annotated[list[Id], Field(min_length=1, max_length=IDEAS_MAX)]
    reason: Reason | None = Field(
        None,
        description="reject, ask_for_changes: the text for the authors, required; status: for the steps that need one; "
        "tag, untag: why, kept with the version",
    )
    reason_code: ReasonCode | None = Field(
        None, description="reject, status rejected: one of the campaign's reasons; by default other"
    )
    status: BulkStatus | None = Field(None, description="status: the new one, required")
    owner_id: Id | None = Field(None, description="assign: the member who is responsible; null removes the owner")
    tags: Annotated[list[Tag], Field(max_length=IDEA_TAGS_MAX)] = Field(
        [], description="tag, untag: the tags, required"
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(set(self.idea_ids)) < len(self.idea_ids):
            msg = "idea_ids has an id twice"
            raise ValueError(msg)
        if (self.action in _TAGGING) != bool(self.tags):
            msg = "tags is required for the actions tag and untag, and refused for others"
            raise ValueError(msg)
        if self.action in _WITH_REASON and self.reason is None:
            msg = f"the action {self.action} requires a reason, which is a text for the authors"
            raise ValueError(msg)
        if (self.action == "status") != (self.status is not None):
            msg = "status is required for the action status, and refused for others"
            raise ValueError(msg)
        if (self.action == "assign") != ("owner_id" in self.model_fields_set):
            msg = "owner_id is required for the action assign, where null removes the owner, and refused for others"
            raise ValueError(msg)
        if self.action == "assign" and self.reason is not None:
            msg = "the action assign takes no reason"
            raise ValueError(msg)
        if self.reason_code is not None and self.action != "reject" and self.status != "rejected":
            msg = "reason_code is only for a rejection"
            raise ValueError(msg)
        return self


class BulkIdeaResult(ResponseModel):
    """What became of one idea."""

    idea_id: UUID
    outcome: Literal["done", "unchanged", "refused"] = Field(
        description="unchanged: it had, or did not have, the tags, or it had the owner already"
    )
    status: str | None = Field(None, description="status of the idea afterwards; null after a refusal")
    problem: str | None = Field(None, description="type of the refusal, as in a response of its own")
    detail: str | None = Field(None, description="description of the refusal")


class BulkIdeasResponse(ResponseModel):
    """The results in the order of the request, and their counts."""

    done: int
    unchanged: int
    refused: int
    items: list[BulkIdeaResult]


async def change_in_bulk(
    session: AsyncSession, campaign: Campaign, wanted: BulkIdeas, *, actor_id: UUID
) -> BulkIdeasResponse:
    """Apply an action to each idea in a savepoint of its own, so that a refusal affects one idea only.

    The caller checks the permission. All ideas are locked in the order of their ids before the first one changes, and then
    the wallets that an action can change: two calls with the same ideas or backers wait for each other, and do not block
    each other.
    """
    await campaigns.get_campaign(session, campaign.id, lock="read")
    visible = await _lock(session, campaign.id, wanted)
    results = {}
    for idea_id in sorted(wanted.idea_ids):
        try:
            if idea_id not in visible:
                msg = "The campaign has no idea with this id that you may see."
                raise errors.IdeaNotFound(msg)
            async with session.begin_nested():
                results[idea_id] = await _apply(session, idea_id, wanted, actor_id)
        except DomainError as error:
            results[idea_id] = BulkIdeaResult(
                idea_id=idea_id, outcome="refused", problem=TYPE_PREFIX + error.slug, detail=error.detail
            )
    return _respond([results[idea_id] for idea_id in wanted.idea_ids])


async def _lock(session: AsyncSession, campaign_id: UUID, wanted: BulkIdeas) -> frozenset[UUID]:
    """Lock the submitted ideas of the campaign among the wanted ones, and their coins; returns their ids."""
    found = frozenset(
        await session.scalars(
            select(Idea.id)
            .where(Idea.id.in_(wanted.idea_ids), Idea.campaign_id == campaign_id, Idea.status != Status.DRAFT)
            .order_by(Idea.id)
            .with_for_update(key_share=True)
        )
    )
    if wanted.action in _MOVING_COINS and found:
        await coins.lock_stakes(session, campaign_id, sorted(found))
    return found


async def _apply(session: AsyncSession, idea_id: UUID, wanted: BulkIdeas, actor_id: UUID) -> BulkIdeaResult:
    idea = await get_idea(session, idea_id, lock=True)
    version = idea.version
    is_changed = True
    if wanted.action == "approve":
        check_pending(idea)
        idea = await take_step(session, idea, Status.COMPETING, actor_id=actor_id, reason=wanted.reason)
    elif wanted.action in _MOVING_COINS:
        target = Status(wanted.status or Status.REJECTED)
        idea = await take_step(
            session, idea, target, actor_id=actor_id, reason=wanted.reason, reason_code=wanted.reason_code
        )
    elif wanted.action == "ask_for_changes":
        assert wanted.reason is not None, "the schema requires it"
        idea = await request_changes(session, idea, wanted.reason, actor_id=actor_id)
    elif wanted.action == "assign":
        is_changed = await set_owner(session, idea, wanted.owner_id, actor_id=actor_id)
    else:
        names = {"add" if wanted.action == "tag" else "remove": wanted.tags}
        idea = await tag_idea(session, idea, **names, actor_id=actor_id, reason=wanted.reason)
        is_changed = idea.version != version
    return BulkIdeaResult(idea_id=idea_id, outcome="done" if is_changed else "unchanged", status=idea.status)


def _respond(items: Sequence[BulkIdeaResult]) -> BulkIdeasResponse:
    outcomes = [item.outcome for item in items]
    return BulkIdeasResponse(
        done=outcomes.count("done"),
        unchanged=outcomes.count("unchanged"),
        refused=outcomes.count("refused"),
        items=list(items),
    )
