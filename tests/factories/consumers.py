"""A consumer whose effects are rows of a table, and the events that it handles."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import text

from api.events import payloads
from api.events.consumers import Consumer, Event
from api.events.following import Following
from api.events.kinds import EventKind
from api.events.service import record_event
from tests.factories.ledgers import attempts

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database

EFFECTS = """
    CREATE SCHEMA IF NOT EXISTS probe;
    GRANT USAGE ON SCHEMA probe TO ideamint_app;
    CREATE TABLE IF NOT EXISTS probe.effects (
        n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        consumer text NOT NULL, event_id uuid NOT NULL, campaign_id uuid, number integer NOT NULL
    );
    GRANT SELECT, INSERT ON probe.effects TO ideamint_app
"""


@dataclass
class Probe:
    """A consumer whose handler writes a row for each event; a test can add a function that runs before."""

    database: Database
    options: dict[str, Any]
    name: str = field(default_factory=lambda: f"probe_{''.join(chr(97 + int(c, 16)) for c in uuid4().hex)}")
    sizes: list[int] = field(default_factory=list)
    before_effects: Callable[[Event], Awaitable[None]] | None = None

    @property
    def consumer(self) -> Consumer:
        options: dict[str, Any] = {"starts_at": "end", "backoff_s": 0.0} | self.options
        return Consumer(name=self.name, kinds=frozenset({EventKind.IDEA_EDITED}), handle=self.handle, **options)

    @property
    def following(self) -> Following:
        """A new worker; workers share only the database."""
        return Following(self.database, self.consumer)

    async def handle(self, session: AsyncSession, events: Sequence[Event]) -> None:
        self.sizes.append(len(events))
        for event in events:
            assert isinstance(event.payload, payloads.IdeaEdited)
            if self.before_effects is not None:
                await self.before_effects(event)
            await session.execute(
                text("INSERT INTO probe.effects (consumer, event_id, campaign_id, number) VALUES (:c, :e, :g, :n)"),
                {"c": self.name, "e": event.id, "g": event.campaign_id, "n": event.payload.idea_version},
            )

    async def record(self, campaign_id: UUID | None, *numbers: int) -> None:
        """Record events with these numbers, each in its own transaction."""
        for number in numbers:
            async with self.database.session() as session:
                await edit(session, campaign_id, number)

    async def seen(self, campaign_id: UUID | None = None) -> list[int]:
        """Numbers of the handled events, of one campaign or of all, in the order of their effects."""
        async with self.database.session() as session:
            rows = await session.scalars(
                text("SELECT number FROM probe.effects WHERE consumer = :c AND (:all OR campaign_id = :g) ORDER BY n"),
                {"c": self.name, "g": campaign_id, "all": campaign_id is None},
            )
            return list(rows)

    async def failures(self) -> list[tuple[int, int, bool, bool]]:
        """Number and attempts of each failed event, whether it is parked, and whether it is due."""
        statement = text(
            "SELECT CAST(e.data ->> 'idea_version' AS integer), f.attempts, f.parked_at IS NOT NULL, f.due_at IS NOT NULL "
            "FROM app.event_failures AS f JOIN app.events AS e ON e.id = f.event_id "
            "WHERE f.consumer = :c ORDER BY f.xid, f.event_id"
        )
        async with self.database.session() as session:
            return [(row[0], row[1], row[2], row[3]) for row in await session.execute(statement, {"c": self.name})]

    async def event_id(self, number: int) -> UUID:
        statement = text(
            "SELECT f.event_id FROM app.event_failures AS f JOIN app.events AS e ON e.id = f.event_id "
            "WHERE f.consumer = :c AND e.data ->> 'idea_version' = :n"
        )
        async with self.database.session() as session:
            found: UUID = (await session.execute(statement, {"c": self.name, "n": str(number)})).scalar_one()
            return found

    async def follow(self) -> None:
        """Follow until all events recorded so far are handled, are parked, or wait for parked events."""
        async with self.database.session() as session:
            end = int(await session.scalar(text("SELECT CAST(CAST(pg_current_xact_id() AS text) AS bigint)")) or 0)
        following = self.following
        async for _ in attempts(self.database, end):
            # checked before the run: events that become readable during it may be handled by the next run
            is_readable = await self.is_readable(end)
            await following.run_once()
            if is_readable and not await self.has_due_failures():
                return

    async def is_readable(self, end: int) -> bool:
        """Whether the transactions up to `end` have ended, so that consumers can read their events."""
        statement = text("SELECT pg_snapshot_xmin(pg_current_snapshot()) > CAST(CAST(:end AS text) AS xid8)")
        async with self.database.session() as session:
            return bool(await session.scalar(statement, {"end": end}))

    async def has_due_failures(self) -> bool:
        statement = text(
            "SELECT EXISTS (SELECT FROM app.event_failures AS f WHERE f.consumer = :c AND f.due_at IS NOT NULL)"
        )
        async with self.database.session() as session:
            return bool(await session.scalar(statement, {"c": self.name}))

    async def cursor(self, partition: int) -> Any:
        """The row of a partition's cursor."""
        statement = text("SELECT * FROM app.event_cursors WHERE consumer = :c AND partition = :p")
        async with self.database.session() as session:
            return (await session.execute(statement, {"c": self.name, "p": partition})).one()


async def edit(session: AsyncSession, campaign_id: UUID | None, number: int) -> None:
    """Record one event of the kind that the probe handles."""
    await record_event(
        session, payloads.IdeaEdited(idea_version=number, changed=()), actor_id=None, campaign_id=campaign_id
    )
