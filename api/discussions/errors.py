"""Errors of discussions."""

from __future__ import annotations

from api.kernel.errors import DomainError, Forbidden, InvalidInput, NotFound


class CommentNotFound(NotFound):
    """The idea has no such comment, or the comment is deleted."""

    slug = "comment-not-found"
    title = "No such comment"


class UnknownParent(InvalidInput):
    """The idea has no comment `parent_id` of the same kind to which one can reply."""

    slug = "unknown-parent"
    title = "The comment to reply to does not exist"


class ThreadTooDeep(InvalidInput):
    """The comment to reply to is on the last level of its thread; `depth_max` is the number of levels."""

    slug = "thread-too-deep"
    title = "The thread has no further level"


class UnknownMentions(InvalidInput):
    """Some mentioned users, `user_ids`, are not members of the campaign, or may not read the note."""

    slug = "unknown-mentions"
    title = "Some mentioned users cannot be mentioned here"


class NotTheCommenter(Forbidden):
    """Only the author of the comment may do this."""

    slug = "not-the-commenter"
    title = "Not the author of the comment"


class CommentIsHidden(DomainError):
    """The comment is hidden, so it cannot be edited, replied to or made the official answer."""

    slug = "comment-is-hidden"
    title = "The comment is hidden"


class CommentIsOfficial(DomainError):
    """The comment is the official answer; it can be hidden or deleted after that is taken back."""

    slug = "comment-is-official"
    title = "The comment is the official answer"
