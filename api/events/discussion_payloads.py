"""The payloads of discussions: comments, internal notes and followers of ideas."""

from __future__ import annotations

from uuid import UUID

from api.events.kinds import EventKind
from api.events.payloads import Payload


class _Written(Payload):
    """The comment, the comment to which it replies, and the people that it mentions."""

    comment_id: UUID
    parent_id: UUID | None = None
    mention_ids: tuple[UUID, ...] = ()


class _Edited(Payload):
    """The comment, and the people that only its new text mentions."""

    comment_id: UUID
    mention_ids: tuple[UUID, ...] = ()


class _OfComment(Payload):
    """The comment."""

    comment_id: UUID


class CommentWritten(_Written):
    """The comment, the comment to which it replies, and the people that it mentions."""

    kind = EventKind.COMMENT_WRITTEN


class CommentEdited(_Edited):
    """The comment, and the people that only its new text mentions."""

    kind = EventKind.COMMENT_EDITED


class CommentDeleted(_OfComment):
    """The comment."""

    kind = EventKind.COMMENT_DELETED


class CommentHidden(_OfComment):
    """The comment; the reason is stored with it."""

    kind = EventKind.COMMENT_HIDDEN


class CommentShown(_OfComment):
    """The comment."""

    kind = EventKind.COMMENT_SHOWN


class OfficialAnswerChanged(Payload):
    """The comment that is the official answer now, or none, and the one that was it before."""

    kind = EventKind.OFFICIAL_ANSWER_CHANGED
    comment_id: UUID | None = None
    earlier_comment_id: UUID | None = None


class NoteWritten(_Written):
    """The note, the note to which it replies, and the people that it mentions."""

    kind = EventKind.NOTE_WRITTEN


class NoteEdited(_Edited):
    """The note, and the people that only its new text mentions."""

    kind = EventKind.NOTE_EDITED


class NoteDeleted(_OfComment):
    """The note."""

    kind = EventKind.NOTE_DELETED


class IdeaFollowed(Payload):
    """No data except the ids of the person and of the idea."""

    kind = EventKind.IDEA_FOLLOWED


class IdeaUnfollowed(Payload):
    """No data except the ids of the person and of the idea."""

    kind = EventKind.IDEA_UNFOLLOWED
