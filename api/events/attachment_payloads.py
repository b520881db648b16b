"""The payloads of attachments of ideas, and of cover pictures of campaigns."""

from __future__ import annotations

from uuid import UUID

from api.events.kinds import EventKind
from api.events.payloads import Payload


class AttachmentAdded(Payload):
    """The attachment, its media type and its length; not its name."""

    kind = EventKind.ATTACHMENT_ADDED
    attachment_id: UUID
    media_type: str
    size_bytes: int


class AttachmentDeleted(Payload):
    """The attachment."""

    kind = EventKind.ATTACHMENT_DELETED
    attachment_id: UUID


class CoverChanged(Payload):
    """The picture, its media type and its length; none if the cover was removed."""

    kind = EventKind.CAMPAIGN_COVER_CHANGED
    cover_id: UUID | None = None
    media_type: str | None = None
    size_bytes: int | None = None
