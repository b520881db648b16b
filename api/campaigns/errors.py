"""Errors of campaigns."""

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

    @classmethod
    def of(cls, slug: str) -> SlugTaken:
        """The error for this slug."""
        return cls(f"Another campaign has the slug {slug!r}.", taken=slug)


class IllegalCampaignStep(DomainError):
    """A campaign in this status cannot take this step."""

    slug = "illegal-campaign-step"
    title = "The campaign cannot take this step"


class CampaignNotActive(DomainError):
    """The phase of the campaign, `phase`, does not allow this command; `allowed_in` lists the phases that do."""

    slug = "campaign-not-active"
    title = "The campaign is not active"


class CampaignFixed(DomainError):
    """These fields, `fields`, can be changed only while the campaign is a draft."""

    slug = "campaign-fixed"
    title = "A part of the campaign is fixed"


class CampaignKept(DomainError):
    """Only a draft without coins and ideas can be deleted; others are archived."""

    slug = "campaign-kept"
    title = "The campaign cannot be deleted"

    @classmethod
    def of(cls, state: str) -> CampaignKept:
        """The error for a campaign that, for example, "has ideas"."""
        return cls(
            f"The campaign {state}; only a draft without coins and ideas can be deleted. You can archive it instead."
        )


class DatesOutOfOrder(InvalidInput):
    """The dates of the campaign and of its coin policy contradict each other."""

    slug = "dates-out-of-order"
    title = "The dates contradict each other"


class JoiningClosed(Forbidden):
    """Only managers can add members to this campaign."""

    slug = "joining-closed"
    title = "The campaign cannot be joined"


REMOVED = "A manager has removed you from this campaign; only a manager can add you again."


class RemovedFromCampaign(Forbidden):
    """A manager has removed the user from the campaign; only a manager can add them again."""

    slug = "removed-from-campaign"
    title = "Removed from the campaign"


class NotAMember(Forbidden):
    """Only a member of the campaign may do this."""

    slug = "not-a-member"
    title = "Not a member of this campaign"


class NotAManager(Forbidden):
    """Only a manager of the campaign may do this; figures and reports are also available to executives."""

    slug = "not-a-manager"
    title = "Not a manager of this campaign"


class LastManager(DomainError):
    """A campaign that is not archived must have at least one manager."""

    slug = "last-manager"
    title = "The campaign's only manager"


class AlreadyMembers(DomainError):
    """The caller is a member, or members have some of the addresses, which `emails` lists; they need not be added."""

    slug = "already-members"
    title = "Members already"


class InvitationNotFound(NotFound):
    """The campaign has no such invitation."""

    slug = "invitation-not-found"
    title = "No such invitation"


class InvitationEnded(DomainError):
    """The invitation was accepted or revoked."""

    slug = "invitation-ended"
    title = "The invitation has ended"


class InvitationForAnother(Forbidden):
    """The invitation is for another address than the confirmed one of the caller's account."""

    slug = "invitation-for-another"
    title = "The invitation is for another address"


class InvitationOutdated(Forbidden):
    """The caller was a member of the campaign after the invitation was sent, and has left it."""

    slug = "invitation-outdated"
    title = "The invitation is outdated"


class RequestsClosed(Forbidden):
    """The campaign takes no requests to join; `join_policy` says how people become members."""

    slug = "requests-closed"
    title = "No requests to join"


class RequestOpen(DomainError):
    """The user has an open request to join this campaign."""

    slug = "request-open"
    title = "A request is open"


class RequestNotFound(NotFound):
    """The campaign has no such request to join."""

    slug = "request-not-found"
    title = "No such request"


class RequestDecided(DomainError):
    """The request to join was approved, refused or withdrawn."""

    slug = "request-decided"
    title = "The request is decided"


class AttributeNotFound(NotFound):
    """The campaign has no such attribute of its members."""

    slug = "member-attribute-not-found"
    title = "No such attribute"


class AttributeKeyTaken(DomainError):
    """The campaign has an attribute with this key."""

    slug = "member-attribute-taken"
    title = "The key is taken"


class TooManyAttributes(DomainError):
    """The campaign has the largest number of attributes, which `limit` states."""

    slug = "too-many-member-attributes"
    title = "Too many attributes"


class AttributeInUse(DomainError):
    """`members` people have a value that the change would remove; `by_value` has the number for each such value.

    With `remove_values=true` these values are removed.
    """

    slug = "member-attribute-in-use"
    title = "Members have this attribute"


class AttributesRefused(InvalidInput):
    """Values of a member are not allowed or missing; `faults` says for each attribute by its key what is wrong."""

    slug = "member-attributes-refused"
    title = "Attributes of the member are not valid"


class InvitationMailsExhausted(DomainError):
    """Addresses, which `emails` lists, have received the largest number of invitations to this campaign in a day.

    `possible_at` is when the first of them can be invited again.
    """

    slug = "invitation-mails-exhausted"
    title = "Too many invitations of an address"


class UnknownUser(DomainError):
    """There is no active account with this address."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "unknown-user"
    title = "No such user"
