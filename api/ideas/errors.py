"""What ideas refuse."""

from __future__ import annotations

from http import HTTPStatus

from api.kernel.errors import DomainError, Forbidden, InvalidInput, NotFound


class IdeaNotFound(NotFound):
    """There is none, or the caller may not see it."""

    slug = "idea-not-found"
    title = "No such idea"


class IllegalStep(DomainError):
    """An idea in this status cannot take this step."""

    slug = "illegal-step"
    title = "The idea cannot take this step"


class StepNotYours(Forbidden):
    """Somebody else takes this step."""

    slug = "step-not-yours"
    title = "Somebody else takes this step"


class NotYourIdea(Forbidden):
    """Only its author may change an idea's text."""

    slug = "not-your-idea"
    title = "Not your idea"


class IdeaFixed(DomainError):
    """People have seen it compete: its text stays."""

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
    """An acceptance stands once the policy's undo window is over."""

    slug = "undo-window-over"
    title = "The acceptance cannot be undone any more"


class OtherCurrency(InvalidInput):
    """An idea's figures are in one currency."""

    slug = "other-currency"
    title = "Another currency than the idea's"


class StakesNotVisible(Forbidden):
    """The campaign's coin policy keeps whose coins lie where from the caller."""

    slug = "stakes-not-visible"
    title = "Whose coins lie here is not for you to see"
