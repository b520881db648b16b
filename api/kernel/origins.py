"""Where the current request comes from, for events: network address, program, and who has identified themselves."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from collections.abc import Iterator

AGENT_LENGTH_MAX = 300

_current: ContextVar[Origin | None] = ContextVar("origin", default=None)


@dataclass
class Origin:
    """The origin of a request.

    Attributes:
        address: network address of the client; behind a trusted proxy, the address that the proxy reports.
        agent: what the client says that it is, at most 300 characters.
        user_id: the authenticated user or service account.
        token_id: the API token of the request, if it has one.
    """

    address: str | None = None
    agent: str | None = None
    user_id: UUID | None = None
    token_id: UUID | None = None


NOWHERE = Origin()


def current() -> Origin:
    """The origin of the current request; all parts are None outside of a request."""
    return _current.get() or NOWHERE


@contextmanager
def acting(origin: Origin) -> Iterator[Origin]:
    """Work of this origin, while the block lasts."""
    reset = _current.set(origin)
    try:
        yield origin
    finally:
        _current.reset(reset)


def identify(user_id: UUID, token_id: UUID | None = None) -> None:
    """Note who sends the current request."""
    origin = _current.get()
    if origin is not None:
        origin.user_id, origin.token_id = user_id, token_id
