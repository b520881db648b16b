"""The payloads of attachments of ideas."""

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
