"""Routes for reports from the published marts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import Response

from api.analytics import errors, service
from api.auth.dependencies import ReadingUser
from api.campaigns.dependencies import access_to
from api.kernel import clock
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
    request: Request,
    session: Session,
    caller: ReadingUser,
    campaign_id: UUID,
    format: Annotated[Format, Query(description="pdf, or xlsx for a workbook")] = Format.PDF,  # noqa: A002
) -> Response:
    """Download the executive report of a campaign, as of the newest published data.

    For executives, administrators and managers of the campaign. Browsers may use the cookie of the log-in page.
    """
    access = await access_to(session, caller, campaign_id)
    if not (access.manages or caller.is_executive):
        msg = "Only executives and managers of the campaign may download reports."
        raise errors.ReportNotAllowed(msg)
    await session.close()  # returns its connection: waiting reports must not exhaust the pool
    data_dir = request.app.state.settings.data_dir
    made = await service.make_report(data_dir, access.campaign.id, format, made_at=clock.now())
    headers = {
        "Content-Disposition": f'attachment; filename="{made.file_name}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(made.data, media_type=format.media_type, headers=headers)
