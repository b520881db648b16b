"""Members' coin commands, from the request to the bytes of the response; used by the fast path and the routes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from api.coins import errors, service
from api.coins.commands.moves import Move, Outcome, as_error, as_json
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
class CommandResponse:
    """A movement as JSON, with the same bytes for each replay, and the header that marks a replay."""

    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def as_move(
    command: AllocateCoins | ReallocateCoins,
    campaign_id: UUID,
    user_id: UUID,
    key: str,
    request_hash: bytes,
    request_id: str,
) -> Move:
    """The movement of coins that a member requests with a command."""
    source = command.from_idea_id if isinstance(command, ReallocateCoins) else None
    target = command.to_idea_id if isinstance(command, ReallocateCoins) else command.idea_id
    return Move(campaign_id, user_id, source, target, command.coins, key, request_hash, request_id)


class MemberCommands:
    """Carries out members' commands for all requests of one process."""

    def __init__(self, database: Database, batcher: Batcher, rates: CoinRates, find_statuses: FindStatuses) -> None:
        """`find_statuses` returns the status of ideas by id, which the ledger does not store."""
        self._database = database
        self._batcher = batcher
        self._rates = rates
        self._find_statuses = find_statuses

    async def carry_out(self, move: Move) -> CommandResponse:
        """Move the coins and commit.

        Raises:
            RateLimited: the limit of the member or the campaign is exceeded.
            DomainError: the ledger refuses; the error has the reason and the amounts.
        """
        await self._rates.spend(move.user_id, move.campaign_id)
        outcome = await self._batcher.move(move)
        if outcome.outcome == "idea_not_open":
            async with self._database.session() as session:
                raise await self._not_open(session, move)
        return _respond(move, outcome)

    async def dry_run(self, move: Move) -> CommandResponse:
        """The response that :meth:`carry_out` would return now; nothing is written.

        Raises:
            RateLimited: the limit of the member or the campaign is exceeded.
            DomainError: the ledger would refuse.
        """
        await self._rates.spend(move.user_id, move.campaign_id)
        async with self._database.dry_run() as session:
            (outcome,) = await service.move_coins(session, [replace(move, key=None, request_hash=None)])
            if outcome.outcome == "idea_not_open":
                raise await self._not_open(session, move)
        return _respond(move, outcome, is_dry_run=True)

    async def _not_open(self, session: AsyncSession, move: Move) -> errors.IdeaNotOpen:
        """The refusal, with the status of the idea that caused it."""
        idea_ids = [idea_id for idea_id in (move.to_idea_id, move.from_idea_id) if idea_id is not None]
        statuses = await self._find_statuses(session, idea_ids)
        closed = next((idea_id for idea_id in idea_ids if statuses.get(idea_id) != OPEN_STATUS), idea_ids[0])
        status = statuses.get(closed)
        msg = f"Coins can be moved only while an idea is {OPEN_STATUS}; this one is {status}."
        return errors.IdeaNotOpen(msg, idea_id=closed, idea_status=status)


def _respond(move: Move, outcome: Outcome, *, is_dry_run: bool = False) -> CommandResponse:
    if not outcome.succeeded:
        raise as_error(move, outcome)
    return CommandResponse(
        as_json(move, outcome, is_dry_run=is_dry_run),
        {idempotency.REPLAYED: "true"} if outcome.outcome == "replayed" else {},
    )
