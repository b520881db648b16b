"""What campaigns refuse."""

from __future__ import annotations

from http import HTTPStatus

from api.kernel.errors import DomainError, Forbidden, InvalidInput, NotFound


class CampaignNotFound(NotFound):
    """The campaign does not exist, or the caller may not see it."""

    slug = "campaign-not-found"
    title = "No such campaign"


class SlugTaken(DomainError):
    """Another campaign has this slug."""

    slug = "slug-taken"
    title = "The slug is taken"


class IllegalCampaignStep(DomainError):
    """The campaign's life does not go this way."""

    slug = "illegal-campaign-step"
    title = "The campaign cannot take this step"


class CampaignNotActive(DomainError):
    """The command is not possible in the phase of the campaign: `phase` and `allowed_in` name it and the right ones."""

    slug = "campaign-not-active"
    title = "The campaign is not active"


class DatesOutOfOrder(InvalidInput):
    """The dates of the campaign and of its coin policy contradict each other."""

    slug = "dates-out-of-order"
    title = "The dates contradict each other"


class JoiningClosed(Forbidden):
    """Members of this campaign are added by its managers."""

    slug = "joining-closed"
    title = "The campaign cannot be joined"


class NotAMember(Forbidden):
    """Only a member of the campaign may do this."""

    slug = "not-a-member"
    title = "Not a member of this campaign"


class NotAManager(Forbidden):
    """Only a manager of the campaign may do this; for figures and reports, an executive too."""

    slug = "not-a-manager"
    title = "Not a manager of this campaign"


class LastManager(DomainError):
    """A campaign that is not archived keeps at least one manager."""

    slug = "last-manager"
    title = "The campaign's only manager"


class UnknownUser(DomainError):
    """No active account has this address."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "unknown-user"
    title = "No such user"
