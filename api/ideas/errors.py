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
    """The idea competes or competed; its text cannot change."""

    slug = "idea-fixed"
    title = "The idea's text cannot be changed any more"


class ReasonMissing(InvalidInput):
    """This step needs a reason that its author can read."""

    slug = "reason-missing"
    title = "A reason is needed"


class SubmissionsClosed(DomainError):
    """The campaign takes no ideas now."""

    status = HTTPStatus.CONFLICT
    slug = "submissions-closed"
    title = "The campaign takes no ideas now"


class UndoWindowOver(DomainError):
    """The policy's undo window is over."""

    slug = "undo-window-over"
    title = "The acceptance cannot be undone any more"


class OtherCurrency(InvalidInput):
    """An idea's figures are in one currency."""

    slug = "other-currency"
    title = "Another currency than the idea's"


class StakesNotVisible(Forbidden):
    """The campaign's coin policy does not show the stakes of others to the caller."""

    slug = "stakes-not-visible"
    title = "The stakes on this idea are not visible to the caller"
