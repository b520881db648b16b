"""Errors of deliveries."""

from __future__ import annotations

from api.kernel.errors import DomainError, Forbidden, InvalidInput, NotFound


class MilestoneNotFound(NotFound):
    """The idea has no such milestone."""

    slug = "milestone-not-found"
    title = "No such milestone"


class IdeaNotInDelivery(DomainError):
    """Milestones change only while the idea is accepted or in progress."""

    slug = "idea-not-in-delivery"
    title = "The idea is not in delivery"


class TooManyMilestones(DomainError):
    """The idea has the largest number of milestones, `milestones_max`."""

    slug = "too-many-milestones"
    title = "The idea has too many milestones"


class NotTheOwner(Forbidden):
    """Only the owner of the idea, while they take part in the campaign, and its managers complete milestones."""

    slug = "not-the-owner"
    title = "Not the owner of the idea"


class DoneInTheFuture(InvalidInput):
    """A milestone is done on `today` or earlier, by the time zone of the campaign."""

    slug = "done-in-the-future"
    title = "The milestone cannot be done on a later day"
