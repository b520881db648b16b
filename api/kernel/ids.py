"""Identifiers: UUID version 7 (RFC 9562), which sort by the time they were made."""

from __future__ import annotations

from uuid import UUID

import uuid_utils


def uuid7() -> UUID:
    """A new UUIDv7, of the standard library's class."""
    return UUID(int=uuid_utils.uuid7().int)
