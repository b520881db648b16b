"""Response models of what waits for managers."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from api.kernel.schemas import ResponseModel, Stored

Work = Literal["admit", "approve", "answer", "decide", "start", "deliver", "report"]
SHOWN_IDEAS = 5


class WaitingIdea(ResponseModel):
    """An idea that waits for a manager or moderator."""

    id: UUID
    title: str
    since: datetime = Field(description="since when it waits")


class TodoItem(ResponseModel):
    """Work of one kind, with the ideas that wait longest for it."""

    work: Stored[Work] = Field(
        description="admit: requests to join; approve: pending ideas whose authors were not asked for changes; answer: ideas "
        "with questions in comments that no manager or moderator has answered; decide: competing ideas of the closed campaign; "
        "start: accepted ideas; deliver: ideas with overdue milestones; report: complete ideas without a realised value"
    )
    count: int = Field(description="number of requests or ideas")
    since: datetime = Field(description="since when the first of them waits")
    ideas: list[WaitingIdea] = Field(
        description=f"the {SHOWN_IDEAS} ideas that wait longest, these first; none for admit"
    )


class Deadline(ResponseModel):
    """A coming date of the campaign or of its coin policy."""

    name: str
    at: datetime


class Todo(ResponseModel):
    """What the managers and moderators of a campaign have to do."""

    items: list[TodoItem] = Field(description="work that has to be done; kinds of which nothing waits are omitted")
    deadlines: list[Deadline] = Field(description="coming dates, the earliest first")
