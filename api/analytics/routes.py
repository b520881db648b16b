"""What the marts say, over HTTP."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query
from fastapi.responses import Response

from api.analytics import errors, service
from api.auth.dependencies import ReadingUser
from api.campaigns.dependencies import access_to
from api.kernel import clock
from api.kernel.container import ProvidedSettings
from api.kernel.web import Session
from api.kernel.web import router as new_router
from pipelines.reports import Format

router = new_router("", "analytics")


@router.get(
    "/campaigns/{campaign_id}/report",
    operation_id="getCampaignReport",
    response_class=Response,
    responses={200: {"description": "The report", "content": {kind.media_type: {} for kind in Format}}},
)
async def report(
    settings: ProvidedSettings,
    session: Session,
    caller: ReadingUser,
    campaign_id: UUID,
    format: Annotated[Format, Query(description="pdf, or xlsx for a workbook")] = Format.PDF,  # noqa: A002
) -> Response:
    """Download the executive report of a campaign, as of the newest published data.

    For executives and administrators, and for the managers of the campaign. A browser may follow a link here with the
    cookie of the log-in page.
    """
    access = await access_to(session, caller, campaign_id)
    if not (access.manages or caller.is_executive):
        msg = "This takes an executive, or a manager of the campaign."
        raise errors.ReportNotAllowed(msg)
    await session.close()  # gives its connection back: a queue for reports must not keep the pool from others
    made = await service.make_report(settings.paths.data_dir, access.campaign.id, format, made_at=clock.now())
    headers = {
        "Content-Disposition": f'attachment; filename="{made.file_name}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(made.data, media_type=format.media_type, headers=headers)
