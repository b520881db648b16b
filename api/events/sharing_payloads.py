"""The payloads of links to ideas."""

from __future__ import annotations

from uuid import UUID

from api.events.kinds import EventKind
from api.events.payloads import Payload


class IdeaShared(Payload):
    """The new link; not its token."""

    kind = EventKind.IDEA_SHARED
    link_id: UUID


class IdeaLinkRevoked(Payload):
    """The link, which does not work any more."""

    kind = EventKind.IDEA_LINK_REVOKED
    link_id: UUID
