"""Errors of the report routes."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from api.kernel.errors import DomainError


class NothingPublished(DomainError):
    """No snapshot of the marts has been published yet."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "nothing-published"
    title = "The data platform has published nothing yet"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "60"}


class CampaignNotPublished(DomainError):
    """The newest snapshot was built before the campaign was created."""

    status = HTTPStatus.CONFLICT
    slug = "campaign-not-published"
    title = "The published data does not contain this campaign yet"


class ReportsBusy(DomainError):
    """The queue of waiting reports is full."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "reports-busy"
    title = "Too many reports are being generated"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}
