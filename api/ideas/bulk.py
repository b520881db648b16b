"""Commands on many ideas of a campaign, each with a result of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, model_validator
from sqlalchemy import select

from api.campaigns import service as campaigns
from api.ideas import errors
from api.ideas.approval import check_pending, request_changes
from api.ideas.editing import tag_idea
from api.ideas.labels import IDEA_TAGS_MAX
from api.ideas.models import Idea
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
Action = Literal["approve", "reject", "ask_for_changes", "tag", "untag"]
PERMISSION_OF: Mapping[Action, Permission] = MappingProxyType(
    {
        "approve": Permission.APPROVE_IDEAS,
        "reject": Permission.MANAGE_IDEAS,
        "ask_for_changes": Permission.APPROVE_IDEAS,
        "tag": Permission.TAG_IDEAS,
        "untag": Permission.TAG_IDEAS,
    }
)
"""The permission that each action needs."""
_TAGGING: frozenset[Action] = frozenset({"tag", "untag"})
_WITH_REASON: frozenset[Action] = frozenset({"reject", "ask_for_changes"})


class BulkIdeas(Schema):
    """An action and the ideas to which it applies."""

    action: Action
    idea_ids: Annotated[list[Id], Field(min_length=1, max_length=IDEAS_MAX)]
    reason: Reason | None = Field(
        None,
        description="reject, ask_for_changes: the text for the authors, required; tag, untag: why, kept with the version",
    )
    reason_code: ReasonCode | None = Field(None, description="reject: one of the campaign's reasons; by default other")
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
        if self.action != "reject" and self.reason_code is not None:
            msg = "reason_code is only for the action reject"
            raise ValueError(msg)
        return self


class BulkIdeaResult(ResponseModel):
    """What became of one idea."""

    idea_id: UUID
    outcome: Literal["done", "unchanged", "refused"] = Field(
        description="unchanged: it had, or did not have, the tags already"
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

    The caller checks the permission. The ideas are locked in the order of their ids: two calls with the same ideas wait
    for each other, and do not block each other.
    """
    await campaigns.get_campaign(session, campaign.id, lock="read")
    visible = set(
        await session.scalars(
            select(Idea.id).where(
                Idea.id.in_(wanted.idea_ids), Idea.campaign_id == campaign.id, Idea.status != Status.DRAFT
            )
        )
    )
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


async def _apply(session: AsyncSession, idea_id: UUID, wanted: BulkIdeas, actor_id: UUID) -> BulkIdeaResult:
    idea = await get_idea(session, idea_id, lock=True)
    version = idea.version
    if wanted.action == "approve":
        check_pending(idea)
        idea = await take_step(session, idea, Status.COMPETING, actor_id=actor_id, reason=wanted.reason)
    elif wanted.action == "reject":
        idea = await take_step(
            session, idea, Status.REJECTED, actor_id=actor_id, reason=wanted.reason, reason_code=wanted.reason_code
        )
    elif wanted.action == "ask_for_changes":
        assert wanted.reason is not None, "the schema requires it"
        idea = await request_changes(session, idea, wanted.reason, actor_id=actor_id)
    else:
        names = {"add" if wanted.action == "tag" else "remove": wanted.tags}
        idea = await tag_idea(session, idea, **names, actor_id=actor_id, reason=wanted.reason)
        if idea.version == version:
            return BulkIdeaResult(idea_id=idea_id, outcome="unchanged", status=idea.status)
    return BulkIdeaResult(idea_id=idea_id, outcome="done", status=idea.status)


def _respond(items: Sequence[BulkIdeaResult]) -> BulkIdeasResponse:
    outcomes = [item.outcome for item in items]
    return BulkIdeasResponse(
        done=outcomes.count("done"),
        unchanged=outcomes.count("unchanged"),
        refused=outcomes.count("refused"),
        items=list(items),
    )
