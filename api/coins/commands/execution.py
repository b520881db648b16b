"""Members' coin commands, from the request to the bytes of the response; shared by the fast path and the routes."""

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

    from api.coins.commands.batcher import Batcher
    from api.coins.rates import CoinRates
    from api.kernel.db import Database

    FindStatuses = Callable[[AsyncSession, Sequence[UUID]], Awaitable[dict[UUID, str]]]

OPEN_STATUS = "competing"


@dataclass(frozen=True, slots=True)
class Answer:
    """A movement as JSON, the same bytes for each replay, and the header that marks a replay."""

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
    """The movement of a member's coins in a request."""
    source = asked.from_idea_id if isinstance(asked, ReallocateCoins) else None
    target = asked.to_idea_id if isinstance(asked, ReallocateCoins) else asked.idea_id
    return Move(campaign_id, user_id, source, target, asked.coins, key, request_hash, request_id)


class MemberCommands:
    """Carries out members' commands for all requests of one process."""

    def __init__(self, database: Database, batcher: Batcher, rates: CoinRates, find_statuses: FindStatuses) -> None:
        """`find_statuses` gives the status of ideas by id, which the ledger does not know."""
        self._database = database
        self._batcher = batcher
        self._rates = rates
        self._find_statuses = find_statuses

    async def carry_out(self, move: Move) -> Answer:
        """Move the coins, durably.

        Raises:
            RateLimited: the member's limit or the campaign's is met.
            DomainError: the ledger refuses; the error states why, with the numbers.
        """
        await self._rates.spend(move.user_id, move.campaign_id)
        outcome = await self._batcher.move(move)
        if outcome.outcome == "idea_not_open":
            async with self._database.session() as session:
                raise await self._not_open(session, move)
        return _answer(move, outcome)

    async def dry_run(self, move: Move) -> Answer:
        """The response that :meth:`carry_out` would give now; nothing is written.

        Raises:
            RateLimited: the member's limit or the campaign's is met.
            DomainError: the ledger would refuse.
        """
        await self._rates.spend(move.user_id, move.campaign_id)
        async with self._database.dry_run() as session:
            (outcome,) = await service.move_coins(session, [replace(move, key=None, request_hash=None)])
            if outcome.outcome == "idea_not_open":
                raise await self._not_open(session, move)
        return _answer(move, outcome, is_dry_run=True)

    async def _not_open(self, session: AsyncSession, move: Move) -> errors.IdeaNotOpen:
        """The refusal, with the status of the idea that caused it."""
        asked = [idea_id for idea_id in (move.to_idea_id, move.from_idea_id) if idea_id is not None]
        statuses = await self._find_statuses(session, asked)
        closed = next((idea_id for idea_id in asked if statuses.get(idea_id) != OPEN_STATUS), asked[0])
        status = statuses.get(closed)
        msg = f"Coins move only while an idea is {OPEN_STATUS}; this one is {status}."
        return errors.IdeaNotOpen(msg, idea_id=closed, idea_status=status)


def _answer(move: Move, outcome: Outcome, *, is_dry_run: bool = False) -> Answer:
    if not outcome.succeeded:
        raise as_error(move, outcome)
    body = as_movement(move, outcome, is_dry_run=is_dry_run).model_dump_json().encode()
    return Answer(body, {idempotency.REPLAYED: "true"} if outcome.outcome == "replayed" else {})
