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


class ApprovalOfOwnIdea(Forbidden):
    """The caller is the author of the idea, and another moderator or manager of the campaign can approve it."""

    slug = "approval-of-own-idea"
    title = "One's own idea"


class NotTheAuthor(Forbidden):
    """Only the author of the idea may do this."""

    slug = "not-the-author"
    title = "Not the author of the idea"


class IdeaFixed(DomainError):
    """The text of the idea cannot be changed by the caller in this status, or at this time."""

    slug = "idea-fixed"
    title = "The idea's text can no longer be changed"


class NotMarkable(DomainError):
    """The version cannot be marked as material: only the latest edit of a competing idea can, and once."""

    slug = "not-markable"
    title = "The version cannot be marked as material"


class FreeTagNotFound(NotFound):
    """No idea of the campaign has the free tag."""

    slug = "free-tag-not-found"
    title = "No such free tag"


class AnonymityRefused(DomainError):
    """The campaign does not allow anonymous ideas."""

    slug = "anonymity-refused"
    title = "Ideas cannot be anonymous in this campaign"


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
    title = "The decision can no longer be undone"


class NotMergeable(DomainError):
    """Only undecided ideas are merged, and a pending idea takes only pending ones; `statuses` has those of the refused ideas."""

    slug = "not-mergeable"
    title = "The ideas cannot be merged"


class NotMerged(DomainError):
    """No merge into the idea can be undone: there is none, or it was undone."""

    slug = "not-merged"
    title = "There is no merge to undo"


class MergeMoved(DomainError):
    """Coins of the merge have moved since, on `idea_ids` or from `wallets` wallets, of so many `members`.

    `user_ids` has the first 100 of them if the coin policy shows stakes to the caller.
    """

    slug = "merge-moved"
    title = "Coins have moved since the merge"


class OtherCurrency(InvalidInput):
    """All valuations of an idea must be in the same currency, `currency`."""

    slug = "other-currency"
    title = "The currency differs from that of the idea"


class StakesNotVisible(Forbidden):
    """The campaign's coin policy does not show the stakes of others to the caller."""

    slug = "stakes-not-visible"
    title = "The stakes on this idea are not visible to the caller"


class IdeaIncomplete(InvalidInput):
    """The draft lacks what a submitted idea must have; `errors` lists the fields."""

    slug = "idea-incomplete"
    title = "The draft is not complete"


class TooManyDrafts(DomainError):
    """The author has as many drafts in the campaign as are possible, `drafts_max`."""

    slug = "too-many-drafts"
    title = "Too many drafts"


class NotSubmitted(DomainError):
    """The idea is a draft, which only its author sees; this is possible after its submission."""

    slug = "idea-not-submitted"
    title = "The idea is a draft"


class NotADraft(DomainError):
    """Only a draft can be deleted; an idea that was submitted can be withdrawn."""

    slug = "not-a-draft"
    title = "The idea is not a draft"


class UnknownTag(InvalidInput):
    """The campaign has defined its tags, and this is none of them; `nearest` is the one with the most similar name."""

    slug = "unknown-tag"
    title = "The campaign has no such tag"


class TagMissing(InvalidInput):
    """The campaign requires a tag of each of the groups `missing`."""

    slug = "tag-missing"
    title = "A required tag is missing"


class TagNotFound(NotFound):
    """The campaign has no tag with this id."""

    slug = "tag-not-found"
    title = "No such tag"


class TagNameTaken(DomainError):
    """The campaign has another tag with this name, in any case."""

    slug = "tag-name-taken"
    title = "There is a tag with this name"


class TagsTooDeep(InvalidInput):
    """A hierarchy of tags has at most three levels, and a tag is not below itself."""

    slug = "tags-too-deep"
    title = "A tag cannot be placed there"


class TooManyTags(DomainError):
    """A campaign has at most `limit` tags."""

    slug = "too-many-tags"
    title = "The campaign has too many tags"


class TagInUse(DomainError):
    """Ideas have the tag, or other tags are below it."""

    slug = "tag-in-use"
    title = "The tag is in use"


class VersionNotFound(NotFound):
    """The idea has no version with this number."""

    slug = "version-not-found"
    title = "No such version"


class UnknownReasonCode(InvalidInput):
    """The code is none of the reasons of the campaign, which `codes` lists, or the step takes no code."""

    slug = "unknown-reason-code"
    title = "The campaign has no such reason of rejection"


class NotResubmittable(DomainError):
    """Only an idea that was rejected or withdrawn, and was not submitted again yet, can be submitted again."""

    slug = "not-resubmittable"
    title = "The idea cannot be submitted again"


class NotPending(DomainError):
    """Changes can be requested only while the idea waits for approval."""

    slug = "not-pending"
    title = "The idea is not pending"


class OwnerNotAMember(InvalidInput):
    """The owner of an idea must be a member of its campaign."""

    slug = "owner-not-a-member"
    title = "The owner is not a member of the campaign"
