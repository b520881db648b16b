"""Members' commands, from what was asked to the answer's bytes: one for both ways in, the hot path and the routes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from api.coins import service
from api.coins.moves import Move, Outcome, as_error, as_movement
from api.coins.schemas import AllocateCoins, ReallocateCoins
from api.kernel import idempotency

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.datastructures import State

    from api.coins.batcher import Batcher
    from api.kernel.db import Database


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
        DomainError: the ledger refuses; the error says why, with the numbers.
    """
    batcher: Batcher = state.batcher
    outcome = await batcher.move(move)
    return _answer(move, outcome)


async def rehearse(state: State, move: Move) -> Answer:
    """What :func:`carry_out` would answer now; nothing is written.

    Raises:
        DomainError: the ledger would refuse.
    """
    database: Database = state.database
    async with database.rehearsal() as session:
        (outcome,) = await service.move_coins(session, [replace(move, key=None, request_hash=None)])
    return _answer(move, outcome, is_dry_run=True)


def _answer(move: Move, outcome: Outcome, *, is_dry_run: bool = False) -> Answer:
    if not outcome.succeeded:
        raise as_error(move, outcome)
    body = as_movement(move, outcome, is_dry_run=is_dry_run).model_dump_json().encode()
    return Answer(body, {idempotency.REPLAYED: "true"} if outcome.outcome == "replayed" else {})
