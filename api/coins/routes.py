"""Routes of coins. Movements require an Idempotency-Key and go through the batcher instead of the request's session."""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse

from api.auth.dependencies import Myself, Principal
from api.coins import errors, service
from api.coins.commands import execution
from api.coins.commands.execution import MemberCommands
from api.coins.container import ProvidedMemberCommands
from api.coins.dependencies import CountRead, OwnWallet, WalletOwner
from api.coins.reading import statements
from api.coins.schemas import (
    AllocateCoins,
    Balance,
    CampaignCoins,
    Movement,
    ReallocateCoins,
    StatementLine,
    TransferKind,
)
from api.kernel import idempotency
from api.kernel.container import ProvidedDatabase
from api.kernel.contract import raises
from api.kernel.dates import Moment
from api.kernel.problems import BUSY, DATABASE_UNAVAILABLE, DISK_FULL
from api.kernel.rates import RateLimited
from api.kernel.request_rates import RateClass, counts_as
from api.kernel.schemas import Page
from api.kernel.web import DryRun, PageQuery, RequiredKey, Session
from api.kernel.web import router as new_router

router = new_router("", "coins")


async def _command(
    request: Request,
    commands: MemberCommands,
    caller: Principal,
    key: str,
    campaign_id: UUID,
    command: AllocateCoins | ReallocateCoins,
    *,
    is_dry_run: bool,
) -> Response:
    request_hash = await idempotency.hash_request(request)
    move = execution.as_move(command, campaign_id, caller.user_id, key, request_hash, request.state.request_id)
    response = await (commands.dry_run if is_dry_run else commands.carry_out)(move)
    return Response(response.body, HTTPStatus.CREATED, response.headers, "application/json")


# what the ledger can refuse, and the database below it
_REFUSALS = (
    RateLimited,
    errors.InsufficientCoins,
    errors.IdeaNotOpen,
    errors.UnknownIdea,
    errors.AllocationWindowClosed,
    errors.AboveMaximum,
    errors.BelowMinimum,
    errors.OwnIdea,
    errors.NotAMember,
    errors.WalletFrozen,
    errors.KeyReused,
    errors.LedgerBusy,
    BUSY,
    DATABASE_UNAVAILABLE,
    DISK_FULL,
)

# the fast path handles most requests for these two routes before routing


@router.post(
    "/campaigns/{campaign_id}/coins/allocate",
    status_code=201,
    operation_id="allocateCoins",
    response_model=Movement,
)
@counts_as(RateClass.COINS)
@raises(*_REFUSALS)
async def allocate(
    request: Request,
    commands: ProvidedMemberCommands,
    caller: WalletOwner,
    key: RequiredKey,
    campaign_id: UUID,
    body: AllocateCoins,
    dry_run: DryRun,
) -> Response:
    """Put coins from my wallet on a competing idea.

    The field stakes_visible_to of the coin policy determines who can see that these coins are mine.
    """
    return await _command(request, commands, caller, key, campaign_id, body, is_dry_run=dry_run)


@router.post(
    "/campaigns/{campaign_id}/coins/reallocate",
    status_code=201,
    operation_id="reallocateCoins",
    response_model=Movement,
)
@counts_as(RateClass.COINS)
@raises(*_REFUSALS, errors.TakeBackRefused, errors.CoolingDown, errors.SameAccount)
async def reallocate(
    request: Request,
    commands: ProvidedMemberCommands,
    caller: WalletOwner,
    key: RequiredKey,
    campaign_id: UUID,
    body: ReallocateCoins,
    dry_run: DryRun,
) -> Response:
    """Move my coins from one idea to another at once or, without a target, back to my wallet."""
    return await _command(request, commands, caller, key, campaign_id, body, is_dry_run=dry_run)


@router.get(
    "/campaigns/{campaign_id}/coins/balance",
    operation_id="getCoinBalance",
    dependencies=[CountRead],
)
@raises(errors.NotAMember)
async def balance(
    session: Session,
    caller: OwnWallet,
    campaign_id: UUID,
    at: Annotated[Moment | None, Query(description="a time in the past; now by default")] = None,
) -> Balance:
    """My coins in this campaign: in the wallet, on ideas, expired, returned."""
    return await service.get_balance(session, campaign_id, caller.user_id, at)


async def _wants_csv(
    request: Request,
    response: Response,
    format_: Annotated[
        Literal["json", "csv"] | None, Query(alias="format", description="by default, the format of the header Accept")
    ] = None,
) -> bool:
    response.headers["Vary"] = "Accept"
    if format_ is not None:
        return format_ == "csv"
    offered = [part.partition(";")[0].strip().lower() for part in request.headers.get("accept", "").split(",")]
    return "text/csv" in offered and "application/json" not in offered[: offered.index("text/csv")]


async def _filters(
    idea_id: Annotated[UUID | None, Query(description="movements to and from this idea")] = None,
    kind: Annotated[list[TransferKind] | None, Query(description="may be given more than once")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="at this time or later")] = None,
    until: Annotated[Moment | None, Query(description="before this time")] = None,
) -> statements.Filters:
    return statements.Filters(idea_id, kind, since, until)


@router.get(
    "/campaigns/{campaign_id}/coins/history",
    operation_id="listCoinHistory",
    response_model=Page[StatementLine],
    dependencies=[CountRead],
    responses={200: {"description": "A page; as CSV, all lines", "content": {"text/csv": {}}}},
)
async def history(
    database: ProvidedDatabase,
    session: Session,
    caller: OwnWallet,
    campaign_id: UUID,
    paging: PageQuery,
    filters: Annotated[statements.Filters, Depends(_filters)],
    wants_csv: Annotated[bool, Depends(_wants_csv)],
) -> Page[StatementLine] | Response:
    """My statement: each movement of my coins with its cause and the balances after it, newest first.

    CSV has all filtered lines, not one page. A cell that a spreadsheet would evaluate begins with a quote.
    """
    if wants_csv:
        return StreamingResponse(
            statements.write_csv(database, campaign_id, caller.user_id, filters),
            media_type="text/csv; charset=utf-8",
            headers={"Content-Disposition": f'attachment; filename="coins-{campaign_id}.csv"', "Vary": "Accept"},
        )
    lines = await statements.list_statement(
        session,
        campaign_id,
        caller.user_id,
        limit=paging.limit + 1,
        after=paging.after(datetime.fromisoformat, UUID),
        filters=filters,
    )
    return paging.page(lines, key=lambda line: (line.effective_at.isoformat(), line.transfer_id))


@router.get("/users/me/coins", operation_id="listMyCoins", dependencies=[CountRead])
async def my_coins(session: Session, caller: Myself) -> list[CampaignCoins]:
    """My coins in all campaigns in which I have a wallet."""
    return await service.list_my_campaigns(session, caller.user_id)
