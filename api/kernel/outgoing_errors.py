"""The error of calls to other servers."""

from __future__ import annotations

from enum import StrEnum
from http import HTTPStatus
from typing import ClassVar

from api.kernel.errors import DomainError


class Reason(StrEnum):
    """Why a call to another server failed."""

    NOT_RESOLVED = "not_resolved"
    ADDRESS_REFUSED = "address_refused"
    NOT_CONNECTED = "not_connected"
    TIMED_OUT = "timed_out"
    BROKEN = "broken"
    TOO_LARGE = "too_large"
    REDIRECTED = "redirected"
    SUSPENDED = "suspended"
    BUSY = "busy"
    BAD_STATUS = "bad_status"
    BAD_CONTENT = "bad_content"


_MEANINGS = {
    Reason.NOT_RESOLVED: "its name has no address",
    Reason.ADDRESS_REFUSED: "its address is in a private network; IDEAMINT_OUTGOING_PRIVATE_HOSTS lists the allowed hosts",
    Reason.NOT_CONNECTED: "it accepts no connection, or its certificate is not valid",
    Reason.TIMED_OUT: "it did not respond in time",
    Reason.BROKEN: "the connection ended before the response was complete, or the response is not HTTP",
    Reason.TOO_LARGE: "its response is too large",
    Reason.REDIRECTED: "it responded with a redirect, which is not allowed here",
    Reason.SUSPENDED: "it failed repeatedly; calls are suspended for up to 30 s",
    Reason.BUSY: "too many calls to it are waiting",
    Reason.BAD_STATUS: "it responded with an error",
    Reason.BAD_CONTENT: "its response is not the expected JSON",
}


class CallFailed(DomainError):
    """Another server, which this request needs, cannot be called or does not respond as expected; `reason` says why."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "other-server-failed"
    title = "Another server does not respond as expected"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "30"}

    def __init__(self, host: str, reason: Reason, *, status_code: int | None = None) -> None:
        """`status_code` is that of a response with an error."""
        shown = f" (status {status_code})" if status_code is not None else ""
        super().__init__(f"The server {host} cannot be used: {_MEANINGS[reason]}{shown}.", reason=reason.value)
        self.host = host
        self.reason = reason
