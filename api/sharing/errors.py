"""Errors of links to ideas."""

from __future__ import annotations

from http import HTTPStatus

from api.kernel.errors import DomainError, NotFound


class NotShared(NotFound):
    """There is no link to the idea."""

    slug = "not-shared"
    title = "The idea has no link"


class SharingRevoked(DomainError):
    """A manager has revoked the link to the idea; only a manager can make a new one."""

    status = HTTPStatus.CONFLICT
    slug = "sharing-revoked"
    title = "The link was revoked"
