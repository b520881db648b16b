"""The payloads of the delivery of ideas: owners and milestones."""

from __future__ import annotations

from uuid import UUID

from api.events.kinds import EventKind
from api.events.payloads import Payload


class OwnerChanged(Payload):
    """The owner of the idea now, or none, and the one before."""

    kind = EventKind.IDEA_OWNER_CHANGED
    owner_id: UUID | None = None
    earlier_owner_id: UUID | None = None


class MilestoneAdded(Payload):
    """The milestone."""

    kind = EventKind.MILESTONE_ADDED
    milestone_id: UUID


class MilestoneChanged(Payload):
    """The milestone, the names of the changed fields, and whether it is done now."""

    kind = EventKind.MILESTONE_CHANGED
    milestone_id: UUID
    changed: tuple[str, ...]
    is_done: bool


class MilestoneDeleted(Payload):
    """The milestone."""

    kind = EventKind.MILESTONE_DELETED
    milestone_id: UUID
