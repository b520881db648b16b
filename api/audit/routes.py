"""Routes of the audit trail of the installation. Each reading of it is recorded as an event itself."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query
from fastapi.responses import StreamingResponse

from api.audit import search
from api.audit.search import AuditedEvent
from api.auth.dependencies import Principal, requires
from api.events import payloads
from api.events.kinds import EventKind
from api.events.service import record_event
from api.kernel.container import ProvidedDatabase
from api.kernel.dates import Moment
from api.kernel.permissions import Permission
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.schemas import Page
from api.kernel.web import PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("/audit", "audit")

Auditor = Annotated[Principal, Depends(requires(Permission.VIEW_AUDIT))]


async def _filters(
    kind: Annotated[list[EventKind] | None, Query(description="may be given more than once")] = None,
    actor_id: Annotated[UUID | None, Query(description="the user or service account who caused it")] = None,
    user_id: Annotated[UUID | None, Query(description="the person affected")] = None,
    campaign_id: Annotated[UUID | None, Query(description="the campaign concerned")] = None,
    idea_id: Annotated[UUID | None, Query(description="the idea concerned")] = None,
    token_id: Annotated[UUID | None, Query(description="the API token of the request")] = None,
    address: Annotated[str | None, Query(max_length=100, description="the network address of the request")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="recorded at this time or later")] = None,
    until: Annotated[Moment | None, Query(description="recorded before this time")] = None,
) -> search.Filters:
    return search.Filters(actor_id, user_id, campaign_id, idea_id, token_id, address, kind, since, until)


GivenFilters = Annotated[search.Filters, Depends(_filters)]


@router.get("", operation_id="listAudit")
async def list_audit(session: Session, caller: Auditor, paging: PageQuery, filters: GivenFilters) -> Page[AuditedEvent]:
    """Events of the whole installation with the people who caused them, newest first.

    Movements of coins are in the coin audit of their campaign.
    """
    events = await search.search_events(session, filters, limit=paging.limit + 1, after=paging.after(UUID))
    page = paging.page(events, lambda event: (event.event_id,))
    payload = payloads.PersonalDataRead(what="audit", filters=filters.names, rows=len(page.items))
    await record_event(session, payload, actor_id=caller.user_id, user_id=filters.user_id)
    return page


@router.get(
    "/export",
    operation_id="exportAudit",
    response_class=StreamingResponse,
    responses={200: {"description": "All found events as CSV", "content": {"text/csv": {}}}},
)
@counts_as(RateClass.FIGURES)
async def export_audit(
    session: Session, database: ProvidedDatabase, caller: Auditor, filters: GivenFilters
) -> StreamingResponse:
    """All events that match the filters, as CSV. A cell that a spreadsheet would evaluate begins with a quote."""
    payload = payloads.PersonalDataRead(what="audit_export", filters=filters.names)
    await record_event(session, payload, actor_id=caller.user_id, user_id=filters.user_id)
    return StreamingResponse(
        search.write_csv(database, filters),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="audit.csv"', "Cache-Control": "private, no-store"},
    )
