"""Members' commands, from what was asked to the answer's bytes: one for both ways in, the hot path and the routes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from api.coins import errors, service
from api.coins.commands.moves import Move, Outcome, as_error, as_movement
from api.coins.schemas import AllocateCoins, ReallocateCoins
from api.kernel import idempotency

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession
    from starlette.datastructures import State

    from api.coins.commands.batcher import Batcher
    from api.coins.rates import CoinRates
    from api.kernel.db import Database

    FindStatuses = Callable[[AsyncSession, Sequence[UUID]], Awaitable[dict[UUID, str]]]

OPEN_STATUS = "competing"


@dataclass(frozen=True, slots=True)
class Answer:
    """A movement as JSON, the same bytes for each replay, and the headers that say whether it is one."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def as_move(
    asked: AllocateCoins | ReallocateCoins,
    campaign_id: UUID,
    user_id: UUID,
    key: str,
    request_hash: bytes,
    request_id: str,
) -> Move:
    """The movement of a member's coins that a request asks for."""
    source = asked.from_idea_id if isinstance(asked, ReallocateCoins) else None
    target = asked.to_idea_id if isinstance(asked, ReallocateCoins) else asked.idea_id
    return Move(campaign_id, user_id, source, target, asked.coins, key, request_hash, request_id)


async def carry_out(state: State, move: Move) -> Answer:
    """Move the coins, durably.

    Raises:
        RateLimited: the member's limit or the campaign's is met.
        DomainError: the ledger refuses; the error says why, with the numbers.
    """
    await _count(state, move)
    batcher: Batcher = state.batcher
    outcome = await batcher.move(move)
    if outcome.outcome == "idea_not_open":
        database: Database = state.database
        async with database.session() as session:
            raise await _not_open(state, session, move)
    return _answer(move, outcome)


async def rehearse(state: State, move: Move) -> Answer:
    """What :func:`carry_out` would answer now; nothing is written.

    Raises:
        RateLimited: the member's limit or the campaign's is met.
        DomainError: the ledger would refuse.
    """
    await _count(state, move)
    database: Database = state.database
    async with database.rehearsal() as session:
        (outcome,) = await service.move_coins(session, [replace(move, key=None, request_hash=None)])
        if outcome.outcome == "idea_not_open":
            raise await _not_open(state, session, move)
    return _answer(move, outcome, is_dry_run=True)


async def _count(state: State, move: Move) -> None:
    rates: CoinRates = state.coin_rates
    await rates.spend(move.user_id, move.campaign_id)


def _answer(move: Move, outcome: Outcome, *, is_dry_run: bool = False) -> Answer:
    if not outcome.succeeded:
        raise as_error(move, outcome)
    body = as_movement(move, outcome, is_dry_run=is_dry_run).model_dump_json().encode()
    return Answer(body, {idempotency.REPLAYED: "true"} if outcome.outcome == "replayed" else {})


async def _not_open(state: State, session: AsyncSession, move: Move) -> errors.IdeaNotOpen:
    """The refusal with the status of the idea that caused it, which the ledger does not know: the ideas tell it."""
    find_statuses: FindStatuses = state.find_idea_statuses
    asked = [idea_id for idea_id in (move.to_idea_id, move.from_idea_id) if idea_id is not None]
    statuses = await find_statuses(session, asked)
    closed = next((idea_id for idea_id in asked if statuses.get(idea_id) != OPEN_STATUS), asked[0])
    status = statuses.get(closed)
    msg = f"Coins move only while an idea is {OPEN_STATUS}; this one is {status}."
    return errors.IdeaNotOpen(msg, idea_id=closed, idea_status=status)
