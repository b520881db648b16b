"""Routes of exports of ideas."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote
from uuid import UUID

from fastapi import Depends, Query, Response

from api.auth.dependencies import ReadingUser
from api.campaigns.dependencies import Access, access_to
from api.campaigns.errors import CampaignNotFound
from api.events import payloads
from api.events.service import record_event
from api.ideas.exports import errors, service
from api.ideas.exports.handlers import WRITE_EXPORT
from api.ideas.exports.schemas import ExportFormat, ExportRead
from api.ideas.lists import grammar
from api.ideas.lists.parameters import read_query
from api.kernel.container import KernelContainer, ProvidedDatabase, provided
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.rules import Rule, Scope, Visibility, enforces
from api.kernel.storage import ObjectMissing, StoragePort, StorageUnavailable
from api.kernel.web import Session
from api.kernel.web import router as new_router

router = new_router("", "ideas")

PATH = "/campaigns/{campaign_id}/ideas/exports/{export_id}"
_FILES: dict[str, Any] = {kind.media_type.partition(";")[0]: {} for kind in ExportFormat}

ProvidedStorage = Annotated[StoragePort, Depends(provided(KernelContainer, lambda container: container.storage))]


@raises(CampaignNotFound)
@enforces(Rule(Scope.CAMPAIGN, (Permission.VIEW_CAMPAIGN,), Visibility.NOT_FOUND))
async def _reader(session: Session, caller: ReadingUser, campaign_id: UUID) -> Access:
    return await access_to(session, caller, campaign_id)


Reader = Annotated[Access, Depends(_reader)]


@router.get(
    "/campaigns/{campaign_id}/ideas/export",
    operation_id="exportIdeas",
    response_class=Response,
    responses={
        200: {"description": "The file", "content": _FILES},
        202: {"description": "A job writes the file; `Location` is its state", "model": ExportRead},
    },
)
@counts_as(RateClass.FIGURES)
@raises(errors.TooManyExports)
async def export_ideas(
    session: Session,
    database: ProvidedDatabase,
    access: Reader,
    query: Annotated[grammar.Query, Depends(read_query)],
    format: Annotated[ExportFormat, Query(description="xlsx for a workbook")] = ExportFormat.CSV,  # noqa: A002
) -> Response:
    """The ideas of a list as a file, by default newest first, with what I may see of them.

    Up to 10,000 ideas are sent at once. For more, the response is 202: a job writes the file, and the same request returns the
    same export until it is written.
    """
    rights, user_id, campaign = service.rights_of(access), access.caller.user_id, access.campaign
    if await service.count_ideas(session, campaign, query, rights, user_id=user_id) > service.DIRECT_MAX:
        await session.close()  # returns its connection before another one is used
        async with database.session() as writing:
            export = service.as_read(await service.request_export(writing, access, query, format, WRITE_EXPORT))
        location = f"/api/v1/campaigns/{campaign.id}/ideas/exports/{export.id}"
        return Response(
            export.model_dump_json(),
            HTTPStatus.ACCEPTED,
            {"Location": location, "Cache-Control": "private, no-store"},
            "application/json",
        )
    data, ideas = await service.write_ideas(session, campaign, query, rights, user_id=user_id, format=format)
    await _record(session, access, ideas, query)
    return _file(data, format, campaign.slug)


@router.get(PATH, operation_id="getIdeaExport")
@raises(errors.ExportNotFound)
async def get(session: Session, access: Reader, export_id: UUID) -> ExportRead:
    """My export that a job writes. It expires a day after the request."""
    found = await service.get_export(session, access.campaign.id, export_id, owner_id=access.caller.user_id)
    return service.as_read(found)


@router.get(
    f"{PATH}/content",
    operation_id="downloadIdeaExport",
    response_class=Response,
    responses={200: {"description": "The file", "content": _FILES}},
)
@counts_as(RateClass.FIGURES)
@raises(errors.ExportNotFound, errors.ExportNotReady, errors.ExportOutdated, StorageUnavailable)
async def download(session: Session, storage: ProvidedStorage, access: Reader, export_id: UUID) -> Response:
    """The file of my export. It is refused if I may not see now what I could see when it was requested."""
    export = await service.get_export(session, access.campaign.id, export_id, owner_id=access.caller.user_id)
    key = service.check_readable(export, access)
    await _record(session, access, export.ideas, grammar.parse(export.query))
    await session.close()  # returns its connection
    try:
        data = await storage.get(key)
    except ObjectMissing:
        raise StorageUnavailable from None
    return _file(data, ExportFormat(export.format), access.campaign.slug)


async def _record(session: Session, access: Access, ideas: int | None, query: grammar.Query) -> None:
    names = tuple(sorted({term.key.name for term in query.filter.terms}))
    payload = payloads.PersonalDataRead(what="ideas", filters=names, rows=ideas)
    await record_event(session, payload, actor_id=access.caller.user_id, campaign_id=access.campaign.id)


def _file(data: bytes, format: ExportFormat, slug: str) -> Response:  # noqa: A002 - the name in requests
    name = quote(f"{slug}-ideas.{format}", safe="")
    return Response(
        data,
        media_type=format.media_type,
        headers={
            "Content-Disposition": f"attachment; filename*=UTF-8''{name}",
            "Cache-Control": "private, no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )
