"""Errors of exports of ideas."""

from __future__ import annotations

from http import HTTPStatus

from api.kernel.errors import DomainError, Forbidden, NotFound


class ExportNotFound(NotFound):
    """The caller has no such export of this campaign, or it has expired."""

    slug = "export-not-found"
    title = "No such export"


class ExportNotReady(DomainError):
    """The file is still being written."""

    slug = "export-not-ready"
    title = "The export is not ready"


class TooManyExports(DomainError):
    """The person has requested as many exports as are written at a time."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    slug = "too-many-exports"
    title = "Too many exports are being written"


class ExportOutdated(Forbidden):
    """The file shows more than its owner may see now, after a change of their rights."""

    slug = "export-outdated"
    title = "The export shows more than you may see now"
