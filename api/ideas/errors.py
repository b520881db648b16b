"""Errors of ideas."""

from __future__ import annotations

from http import HTTPStatus

from api.kernel.errors import DomainError, Forbidden, InvalidInput, NotFound


class IdeaNotFound(NotFound):
    """The idea does not exist, or the caller may not see it."""

    slug = "idea-not-found"
    title = "No such idea"


class IllegalStep(DomainError):
    """An idea in this status cannot take this step."""

    slug = "illegal-step"
    title = "The idea cannot take this step"


class StepNotAllowed(Forbidden):
    """The change of status needs a permission that the caller does not have; `permission` names it."""

    slug = "step-not-allowed"
    title = "The caller may not take this step"


class NotTheAuthor(Forbidden):
    """Only the author of the idea may do this."""

    slug = "not-the-author"
    title = "Not the author of the idea"


class IdeaFixed(DomainError):
    """The idea is no longer pending, so its text cannot be changed."""

    slug = "idea-fixed"
    title = "The idea's text can no longer be changed"


class ReasonMissing(InvalidInput):
    """This step requires a reason for the idea's author."""

    slug = "reason-missing"
    title = "A reason is required"


class SubmissionsClosed(DomainError):
    """Ideas can be submitted only from `opens_at` to `closes_at`."""

    status = HTTPStatus.CONFLICT
    slug = "submissions-closed"
    title = "Ideas cannot be submitted at this time"


class UndoWindowOver(DomainError):
    """The undo window of the coin policy is over."""

    slug = "undo-window-over"
    title = "The acceptance can no longer be undone"


class OtherCurrency(InvalidInput):
    """All valuations of an idea must be in the same currency, `currency`."""

    slug = "other-currency"
    title = "The currency differs from that of the idea"


class StakesNotVisible(Forbidden):
    """The campaign's coin policy does not show the stakes of others to the caller."""

    slug = "stakes-not-visible"
    title = "The stakes on this idea are not visible to the caller"
