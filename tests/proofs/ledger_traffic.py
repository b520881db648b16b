"""Load on one ledger: connections that call the database functions continuously until the end of a block."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, LiteralString
from uuid import uuid4

import psycopg

from api.coins.commands.moves import SQL, Move, as_arguments

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from uuid import UUID

    from tests.factories.ledgers import Ledger

Connection = psycopg.AsyncConnection[tuple[object, ...]]
Command = Callable[[Connection, Random], Awaitable[None]]

BATCH = 20

_CLOSE: LiteralString = """
    SELECT idea_id, is_settling FROM app.coins_close_targets(%s, %s::uuid[], %s, NULL, 'in traffic', NULL, %s)
"""
_CORRECT: LiteralString = """
    SELECT outcome FROM app.coins_correct(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[], %s::text[], %s::text[], NULL)
"""


@dataclass
class Traffic:
    """The commands on one ledger and their outcomes. A new idea replaces each idea that is closed permanently."""

    url: str
    ledger: Ledger
    ideas: list[UUID]
    commands: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    _is_over: bool = False

    @asynccontextmanager
    async def running(self, *commands: Command) -> AsyncIterator[None]:
        """Execute each command repeatedly, on its own connection, while the block runs."""
        tasks = [asyncio.create_task(self._repeat(command, n)) for n, command in enumerate(commands)]
        try:
            yield
        finally:
            self._is_over = True
            await asyncio.gather(*tasks)

    async def _repeat(self, command: Command, n: int) -> None:
        random = Random(n)
        async with await psycopg.AsyncConnection.connect(self.url, autocommit=True) as connection:
            while not self._is_over:
                try:
                    await command(connection, random)
                except psycopg.Error as error:
                    self.errors[f"{error.sqlstate} {error}"] += 1
                self.commands[getattr(command, "__name__", "")] += 1

    async def move(self, connection: Connection, random: Random) -> None:
        """A batch over the same wallets and ideas as all connections, in random order."""
        members = random.sample(self.ledger.members, BATCH)
        directions = [random.choice(((0, 1), (0, 1), (0, 1), (1, 2), (1, 0))) for _ in members]
        moves = []
        for member, direction in zip(members, directions, strict=True):
            ends = [None, *random.sample(self.ideas, 2)]
            moves.append(
                Move(self.ledger.campaign_id, member, ends[direction[0]], ends[direction[1]], random.randint(1, 9))
            )
        await self._send(connection, moves)

    async def move_upward(self, connection: Connection, random: Random) -> None:
        """The first wallets in order, each onto one of the first ideas, in order."""
        await self._send(connection, self._in_order(random))

    async def move_downward(self, connection: Connection, random: Random) -> None:
        """The same wallets and ideas, in the opposite order."""
        await self._send(connection, self._in_order(random)[::-1])

    def _in_order(self, random: Random) -> list[Move]:
        source = random.choice((None, 0, 1))
        return [
            Move(
                self.ledger.campaign_id,
                member,
                None if source is None else self.ideas[(n + source) % len(self.ideas)],
                self.ideas[(n + 2) % len(self.ideas)],
                random.randint(1, 5),
            )
            for n, member in enumerate(self.ledger.members[:BATCH])
        ]

    async def _send(self, connection: Connection, moves: list[Move]) -> None:
        cursor = await connection.execute(SQL, as_arguments(moves))
        self.outcomes.update(str(outcome) for _, outcome, *_ in await cursor.fetchall())

    async def accept_and_undo(self, connection: Connection, random: Random) -> None:
        """Accept some ideas in random order, and undo it."""
        for idea, _ in await self._close(connection, random, "expire", None):
            await connection.execute(
                "SELECT app.coins_reopen_target(%s, %s, NULL, 'in traffic')", (self.ledger.campaign_id, idea)
            )

    async def merge_and_undo(self, connection: Connection, random: Random) -> None:
        """Merge two ideas into a third one, in random order, and undo it if no coins have moved meanwhile."""
        target, *sources = random.sample(self.ideas, 3)
        merge_id = uuid4()
        try:
            await connection.execute(
                "SELECT app.coins_merge(%s, %s, %s, %s::uuid[], NULL, 'in traffic')",
                (self.ledger.campaign_id, merge_id, target, sources),
            )
        except psycopg.errors.ObjectNotInPrerequisiteState:  # one of them is closed
            self.commands["refused merge"] += 1
            return
        try:
            cursor = await connection.execute(
                "SELECT user_id FROM app.coins_undo_merge(%s, %s, %s, %s::uuid[], NULL, 'in traffic')",
                (self.ledger.campaign_id, merge_id, target, sources),
            )
            is_undone = not await cursor.fetchall()
        except psycopg.errors.ObjectNotInPrerequisiteState:
            is_undone = False
        self.commands["undone merge" if is_undone else "kept merge"] += 1
        if not is_undone:
            for source in sources:
                await self._replace(connection, source)

    async def withdraw(self, connection: Connection, random: Random) -> None:
        """Withdraw an idea: its stakes return to the wallets immediately."""
        for idea, _ in await self._close(connection, random, "return", None):
            await self._replace(connection, idea)

    async def withdraw_in_steps(self, connection: Connection, random: Random) -> None:
        """Withdraw an idea by a settlement, a few accounts at a time."""
        await self._close_in_steps(connection, random, "return")

    async def expire_in_steps(self, connection: Connection, random: Random) -> None:
        """Close some ideas like the end of a campaign, in steps."""
        await self._close_in_steps(connection, random, "settle")

    async def correct(self, connection: Connection, random: Random) -> None:
        """Correct wallets up and down, in random order, and let a member join."""
        members = [*random.sample(self.ledger.members, BATCH), uuid4()]
        coins = [random.choice((-3, 5)) for _ in members]
        cursor = await connection.execute(
            _CORRECT,
            (
                [self.ledger.campaign_id] * len(members),
                members,
                ["correct"] * BATCH + ["grant"],
                [*coins[:BATCH], None],
                ["in traffic"] * len(members),
                [None] * len(members),
            ),
        )
        self.outcomes.update(str(outcome) for (outcome,) in await cursor.fetchall())

    async def leave_and_rejoin(self, connection: Connection, random: Random) -> None:
        """Members leave, one after the other, and join again together."""
        members = random.sample(self.ledger.members, 3)
        for member in members:
            await connection.execute(
                "SELECT app.coins_freeze_wallets(%s, %s::uuid[])", (self.ledger.campaign_id, [member])
            )
        await connection.execute("SELECT app.coins_grant(%s, %s::uuid[], NULL)", (self.ledger.campaign_id, members))

    async def aggregate(self, connection: Connection, random: Random) -> None:
        """Aggregate the totals of ideas, as the worker does."""
        await connection.execute("SELECT app.coins_aggregate_totals()")
        await asyncio.sleep(0.02)

    async def _close(
        self, connection: Connection, random: Random, kind: str, inline_max: int | None
    ) -> list[tuple[object, ...]]:
        # ideas are returned one by one, since a transaction may contain one return per wallet
        ideas = random.sample(self.ideas, 1 if kind == "return" else 2)
        cursor = await connection.execute(_CLOSE, (self.ledger.campaign_id, ideas, kind, inline_max))
        return await cursor.fetchall()

    async def _close_in_steps(self, connection: Connection, random: Random, kind: str) -> None:
        closed = await self._close(connection, random, kind, 0)
        for idea, is_settling in closed:
            if is_settling:
                await self._settle(connection, idea)
        for idea, _ in closed:
            await self._replace(connection, idea)

    async def _settle(self, connection: Connection, idea: object) -> None:
        cursor = await connection.execute(
            "SELECT id FROM app.coin_settlements WHERE idea_ids @> ARRAY[%s::uuid] AND finished_at IS NULL", (idea,)
        )
        for (settlement,) in await cursor.fetchall():
            is_finished: object = False
            while is_finished is False:
                step = await connection.execute("SELECT app.coins_settle_next(%s, 7)", (settlement,))
                (is_finished,) = await step.fetchone() or (None,)
                self.commands["settlement step"] += 1

    async def _replace(self, connection: Connection, idea: object) -> None:
        new = uuid4()
        await connection.execute(
            "SELECT app.coins_open_targets(%s, ARRAY[%s::uuid], ARRAY[NULL]::uuid[])", (self.ledger.campaign_id, new)
        )
        self.ideas[next(n for n, known in enumerate(self.ideas) if known == idea)] = new

    def summary(self) -> str:
        """The number of executed commands of each kind, as text."""
        return ", ".join(f"{count} {name}" for name, count in sorted(self.commands.items()))
