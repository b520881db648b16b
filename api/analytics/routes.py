"""Routes for reports from the published marts."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from fastapi.responses import Response

from api.analytics import service
from api.analytics.errors import CampaignNotPublished, NothingPublished, ReportsBusy
from api.auth.dependencies import ReadingUser
from api.campaigns.dependencies import Access, access_to, refusal
from api.campaigns.errors import CampaignNotFound
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import Rule, Scope, Visibility, enforces
from api.kernel.web import Session
from api.kernel.web import router as new_router
from pipelines.report_formats import Format

router = new_router("", "analytics")


@raises(CampaignNotFound, type(refusal(Permission.VIEW_REPORT)))
@enforces(Rule(Scope.CAMPAIGN, (Permission.VIEW_REPORT,), Visibility.NOT_FOUND))
async def _report_reader(session: Session, caller: ReadingUser, campaign_id: UUID) -> Access:
    access = await access_to(session, caller, campaign_id)
    access.check(Permission.VIEW_REPORT)
    return access


@router.get(
    "/campaigns/{campaign_id}/report",
    operation_id="getCampaignReport",
    response_class=Response,
    responses={200: {"description": "The report", "content": {kind.media_type: {} for kind in Format}}},
)
@counts_as(RateClass.FIGURES)
@raises(NothingPublished, CampaignNotPublished, ReportsBusy)
async def report(
    settings: ProvidedSettings,
    session: Session,
    access: Annotated[Access, Depends(_report_reader)],
    format: Annotated[Format, Query(description="pdf, or xlsx for a workbook")] = Format.PDF,  # noqa: A002
) -> Response:
    """Download the executive report of a campaign, as of the newest published data.

    For executives, administrators and managers of the campaign. Browsers may use the cookie of the log-in page.
    """
    payload = payloads.PersonalDataRead(what=f"report_{format}")
    await record_event(session, payload, actor_id=access.caller.user_id, campaign_id=access.campaign.id)
    await session.close()  # returns its connection: requests that wait for a report must not exhaust the pool
    made = await service.make_report(settings.paths.data_dir, access.campaign.id, format, made_at=clock.now())
    headers = {
        "Content-Disposition": f'attachment; filename="{made.file_name}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(made.data, media_type=format.media_type, headers=headers)
