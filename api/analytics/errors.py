"""Why a report cannot be had."""

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
    """The campaign is younger than the newest snapshot."""

    status = HTTPStatus.CONFLICT
    slug = "campaign-not-published"
    title = "The published data does not hold this campaign yet"


class ReportsBusy(DomainError):
    """As many reports wait to be made as may wait."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "reports-busy"
    title = "Too many reports are being made at once"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}
