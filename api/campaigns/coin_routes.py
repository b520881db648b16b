"""Routes that read the coins of a whole campaign: figures, audit trail, and the head of the chain."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query

from api.auth import service as auth
from api.campaigns.dependencies import Access, PublicCampaign, requires_in_campaign
from api.coins import service
from api.coins.chain import chains
from api.coins.dependencies import CountFigures, CountRead
from api.coins.errors import InvalidHead, UnknownBlock
from api.coins.reading import audit, statistics
from api.coins.reading.audit import AuditEvent
from api.coins.reading.statistics import CoinStatistics
from api.coins.schemas import ChainHead, ConservationRead
from api.events import payloads
from api.events.service import record_event
from api.kernel.contract import raises
from api.kernel.dates import Moment
from api.kernel.db import begin_snapshot
from api.kernel.permissions import Permission
from api.kernel.schemas import Page
from api.kernel.web import PageQuery, Session
from api.kernel.web import router as new_router

router = new_router("/campaigns/{campaign_id}/coins", "coins")


@router.get("/chain", operation_id="getCoinChain")
@raises(UnknownBlock)
async def chain(
    session: Session,
    campaign: PublicCampaign,
    height: Annotated[
        int | None, Query(ge=0, lt=10**18, description="number of a block; the last one by default")
    ] = None,
) -> ChainHead:
    """The head of the campaign's chain of sealed transfers; available without a log-in if the campaign is public.

    Store height and hash outside this installation: only then can a later check prove that earlier transfers were not
    rewritten.
    """
    return await chains.get_head(session, campaign.id, height)


@router.get("/statistics", operation_id="getCoinStatistics", dependencies=[CountFigures])
async def get_statistics(
    session: Session, access: Annotated[Access, Depends(requires_in_campaign(Permission.VIEW_COIN_FIGURES))]
) -> CoinStatistics:
    """Figures about the coins of the campaign at one moment; for managers and executives."""
    return await statistics.get_statistics(session, access.campaign.id)


@router.get("/verify", operation_id="verifyCoins", dependencies=[CountFigures])
@raises(InvalidHead)
async def verify(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.VIEW_COIN_FIGURES))],
    head: Annotated[
        str | None,
        Query(
            description="a head that was kept elsewhere, as HEIGHT:HASH; the response states whether the chain contains it"
        ),
    ] = None,
) -> ConservationRead:
    """Recompute every balance, total and hash from the postings; for managers and executives."""
    kept = None if head is None else chains.KeptHead.parse(head)
    await begin_snapshot(session)
    await service.allow_time(session)
    (found,) = await service.verify(session, access.campaign.id)
    chain = await chains.check_chain(session, access.campaign.id, kept)
    return ConservationRead(**asdict(found), holds=found.holds and chain.holds, chain=chain)


@router.get("/audit", operation_id="listCoinAudit", dependencies=[CountRead])
async def list_audit(
    session: Session,
    access: Annotated[Access, Depends(requires_in_campaign(Permission.VIEW_COIN_AUDIT))],
    paging: PageQuery,
    kind: Annotated[list[str] | None, Query(description="may be given more than once")] = None,
    actor_id: Annotated[UUID | None, Query(description="the person who caused it")] = None,
    user_id: Annotated[UUID | None, Query(description="the person affected")] = None,
    idea_id: Annotated[UUID | None, Query(description="the idea concerned")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="at this time or later")] = None,
    until: Annotated[Moment | None, Query(description="before this time")] = None,
) -> Page[AuditEvent]:
    """Changes of the campaign's coins with the people who caused them, newest first; for managers.

    If stakes_visible_to of the coin policy is self, members' own movements are listed without the member, and a filter
    by person does not find them.
    """
    events = await audit.list_audit(
        session,
        access.campaign.id,
        kinds=kind or (),
        actor_id=actor_id,
        user_id=user_id,
        idea_id=idea_id,
        since=since,
        until=until,
        limit=paging.limit + 1,
        after=paging.after(datetime.fromisoformat, UUID),
    )
    await auth.add_names(session, events, actor_id="actor_name", user_id="user_name")
    page = paging.page(events, key=lambda event: (event.occurred_at.isoformat(), event.event_id))
    payload = payloads.PersonalDataRead(what="coin_audit", rows=len(page.items))
    await record_event(
        session, payload, actor_id=access.caller.user_id, campaign_id=access.campaign.id, user_id=user_id
    )
    return page
