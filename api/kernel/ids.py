"""Identifiers: UUID version 7 (RFC 9562), which sort by the time of their creation, and names of processes."""

from __future__ import annotations

import os
import socket
from uuid import UUID

import uuid_utils


def uuid7() -> UUID:
    """A new UUIDv7 as the standard library's class."""
    return UUID(int=uuid_utils.uuid7().int)


def uuid7_text() -> str:
    """A new UUIDv7 as text, without the standard library's class, which takes most of the time."""
    return str(uuid_utils.uuid7())


def process_name() -> str:
    """Host and process id of this process."""
    return f"{socket.gethostname()}:{os.getpid()}"
