"""The origin of the current request, for events and log lines: its id, network address, program, and authenticated user."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

if TYPE_CHECKING:
    from contextvars import Token
    from types import TracebackType

AGENT_LENGTH_MAX = 300

_current: ContextVar[Origin | None] = ContextVar("origin", default=None)


@dataclass(slots=True)
class Origin:
    """The origin of a request.

    Attributes:
        address: network address of the client; behind a trusted proxy, the address that the proxy reports.
        agent: what the client says that it is, at most 300 characters.
        user_id: the authenticated user or service account.
        token_id: the API token of the request, if it has one.
        request_id: the id of the request, which its response and its log lines have too.
    """

    address: str | None = None
    agent: str | None = None
    user_id: UUID | None = None
    token_id: UUID | None = None
    request_id: str | None = None


NOWHERE = Origin()


def current() -> Origin:
    """The origin of the current request; all parts are None outside of a request."""
    return _current.get() or NOWHERE


class acting:  # noqa: N801 - used as a function; a generator's context manager costs a microsecond more on each request
    """Work of this origin, while the block lasts."""

    __slots__ = ("_origin", "_reset")

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._reset: Token[Origin | None]

    def __enter__(self) -> Origin:
        """Make the origin the current one."""
        self._reset = _current.set(self._origin)
        return self._origin

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restore the origin of before."""
        _current.reset(self._reset)


def identify(user_id: UUID, token_id: UUID | None = None) -> None:
    """Note who sends the current request."""
    origin = _current.get()
    if origin is not None:
        origin.user_id, origin.token_id = user_id, token_id
