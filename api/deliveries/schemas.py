"""Request and response models of the delivery of ideas."""

from __future__ import annotations

from datetime import date
from typing import Annotated
from uuid import UUID

from pydantic import Field

from api.kernel.dates import Day
from api.kernel.schemas import Edit, Id, ResponseModel, Schema, required
from api.kernel.texts import Line

MILESTONES_MAX = 50

MilestoneTitle = Annotated[Line, Field(min_length=1, max_length=200)]
Position = Annotated[int, Field(ge=1, le=MILESTONES_MAX, description="1 is the first; after the last is the last")]


class OwnerWrite(Schema):
    """The member who becomes responsible for the idea."""

    user_id: Id


class MilestoneWrite(Schema):
    """A new milestone, by default after the others."""

    title: MilestoneTitle
    due_on: Day
    position: Position | None = None


class MilestoneEdit(Edit):
    """What to change of a milestone. Omitted fields are not changed; `done_on` null: it is not done."""

    title: MilestoneTitle = required()
    due_on: Day = required()
    position: Position = required()
    done_on: Day | None = None


class MilestoneCompletion(Schema):
    """When the milestone was done; null: it is not done."""

    done_on: Day | None


class MilestoneRead(ResponseModel):
    """A milestone of an idea."""

    id: UUID
    idea_id: UUID
    position: int
    title: str
    due_on: date
    done_on: date | None
    is_overdue: bool = Field(
        description="not done, the idea is in delivery, and the due day has passed in the campaign"
    )


class DeliveryRead(ResponseModel):
    """The owner, the milestones and the progress of an idea."""

    idea_id: UUID
    owner_id: UUID | None
    owner_name: str | None = None
    progress_percent: int | None = Field(description="done milestones of all, rounded down; null without milestones")
    milestones: list[MilestoneRead]


class CampaignMilestone(MilestoneRead):
    """An open milestone in a list of the campaign."""

    idea_title: str
    owner_id: UUID | None
    owner_name: str | None = None
