"""The routes that import a list of members, as JSON or as CSV, and export one."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import Depends, Query, Response
from pydantic import BeforeValidator

from api.campaigns import errors
from api.campaigns.dependencies import Access, requires_in_campaign
from api.campaigns.member_lists.exporting import export_members
from api.campaigns.member_lists.importing import import_members
from api.campaigns.member_lists.listing import FiltersQuery, SortQuery
from api.campaigns.member_lists.people import MemberImport, MemberList
from api.campaigns.member_lists.reading import COLUMNS, read_list
from api.events import payloads
from api.events.service import record_event
from api.kernel.container import ProvidedSettings
from api.kernel.contract import raises
from api.kernel.errors import InvalidInput
from api.kernel.permissions import Permission
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.web import DryRun, Session
from api.kernel.web import router as new_router

PATH = "/campaigns/{campaign_id}/member-lists"
BODY_BYTES_MAX = 5 * 1_048_576

router = new_router("", "campaigns")

_CSV = {"schema": {"type": "string"}, "example": f"{','.join(COLUMNS)},department\n"}


def _take_csv(body: object) -> object:
    """Leave a parsed JSON body unchanged; a body of bytes is CSV."""
    return MemberList.of_file(body) if isinstance(body, bytes) else body


@router.post(PATH, operation_id="importMembers", openapi_extra={"requestBody": {"content": {"text/csv": _CSV}}})
@raises(InvalidInput, errors.CampaignNotActive)
async def import_list(
    session: Session,
    settings: ProvidedSettings,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_MEMBERS))],
    body: Annotated[MemberList, BeforeValidator(_take_csv)],
    dry_run: DryRun,
    mode: Annotated[
        Literal["atomic", "continue_on_failure"],
        Query(
            description="atomic: after one error no person is imported. continue_on_failure: the people without an error are"
        ),
    ] = "atomic",
) -> MemberImport:
    """Add the people of a list: who has a confirmed account becomes a member, others are invited by mail.

    A present member gets the given role, and the given attributes in addition to the others. At most 10,000 people; the body has at
    most 5 MiB. CSV has the columns email, name and role; further columns are attributes: if the campaign defines any, only those, by key or label.
    """
    del dry_run  # the session is rolled back
    return await import_members(
        session,
        settings,
        access.campaign,
        await asyncio.to_thread(read_list, body),
        actor_id=access.caller.user_id,
        continue_on_failure=mode == "continue_on_failure",
    )


@router.get(
    PATH,
    operation_id="exportMembers",
    response_class=Response,
    responses={200: {"description": "The members as CSV", "content": {"text/csv": {}}}},
)
@counts_as(RateClass.FIGURES)
@raises(InvalidInput)
async def export_list(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.MANAGE_MEMBERS))],
    filters: FiltersQuery,
    sort: SortQuery = "joined",
) -> Response:
    """The members as CSV, with the columns that the import reads: email, name, role, and their attributes."""
    content, rows = await export_members(session, access.campaign.id, filters, sort=sort)
    payload = payloads.PersonalDataRead(what="members", filters=filters.names(), rows=rows)
    await record_event(session, payload, actor_id=access.caller.user_id, campaign_id=access.campaign.id)
    return Response(
        content,
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="members.csv"', "Cache-Control": "private, no-store"},
    )
