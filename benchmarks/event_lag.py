"""Measures how long a consumer of events waits while long transactions run: an import and a full dbt build.

    python -m benchmarks.event_lag [FILE] [--json]

A consumer reads an event only when no older transaction is running (docs/decisions/0020), so each writing transaction delays
all consumers until it ends. This benchmark records an event every 0.1 s, and a consumer reads them as in a worker, polling
once a second. The lag of an event is the time from its COMMIT to its handler. Three phases follow each other: no other work,
an election imported in one transaction, and a full build of the imported election by `ideamint refresh`.

FILE is by default poland_czestochowa_2020_.pb in the folder of IDEAMINT_TEST_ELECTIONS.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import psycopg
from psycopg import sql

import settings as configuration
from api.events import payloads
from api.events.consumers import Consumer, Event
from api.events.following import Following
from api.events.kinds import EventKind
from api.events.service import record_event
from api.kernel.background import Background
from api.kernel.db import Database
from benchmarks import ledgers

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from settings import Settings

IDLE_S = 10.0
INTERVAL_S = 0.1
_COUNTED = ("coin_accounts", "coin_transfers", "coin_postings", "ideas", "users", "memberships")


@dataclass
class Lag:
    """Records and handles events; `committed` and `handled` have the time of each event by its campaign."""

    database: Database
    committed: dict[UUID, float] = field(default_factory=dict)
    handled: dict[UUID, float] = field(default_factory=dict)
    has_handled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def consumer(self) -> Consumer:
        """The consumer whose lag is measured."""
        return Consumer(name="lag", kinds=frozenset({EventKind.IDEA_EDITED}), handle=self.handle, starts_at="end")

    async def handle(self, _: AsyncSession, events: Sequence[Event]) -> None:
        """Store the time of each event."""
        for event in events:
            assert event.campaign_id is not None
            self.handled.setdefault(event.campaign_id, time.perf_counter())
        self.has_handled.set()

    async def record(self) -> None:
        """Record one event of a new campaign id, so that all partitions are used."""
        campaign_id = uuid4()
        payload = payloads.IdeaEdited(idea_version=1, changed=())
        async with self.database.session() as session:
            await record_event(session, payload, actor_id=None, campaign_id=campaign_id)
        self.committed[campaign_id] = time.perf_counter()

    async def during(self, work: Callable[[], Awaitable[object]]) -> list[float]:
        """Lag in seconds of every event that is recorded while `work` runs; waits until all of them are handled."""
        before = set(self.committed)
        working = asyncio.ensure_future(work())
        while not working.done():
            await self.record()
            await asyncio.sleep(INTERVAL_S)
        await working
        events = self.committed.keys() - before
        while not events <= self.handled.keys():
            self.has_handled.clear()
            await self.has_handled.wait()
        return [self.handled[event] - self.committed[event] for event in events]


async def measure(settings: Settings, election: Path) -> dict[str, float]:
    """Lag in seconds by phase, the duration of each, and the rows that the import wrote."""
    database = Database(settings.database)
    lag = Lag(database)
    figures: dict[str, float] = {}
    following = Following(database, lag.consumer)
    await following.register()
    try:
        async with Background(database, [following.loop]):
            for phase, work in (
                ("idle", lambda: asyncio.sleep(IDLE_S)),
                ("import", lambda: _command(settings, "import", "pabulib", str(election))),
                ("build", lambda: _command(settings, "refresh")),
            ):
                started = time.perf_counter()
                found = await lag.during(work)
                figures |= {
                    f"{phase}_s": round(time.perf_counter() - started, 1),
                    f"{phase}_events": len(found),
                    f"{phase}_lag_p50_s": round(statistics.median(found), 2),
                    f"{phase}_lag_max_s": round(max(found), 2),
                }
    finally:
        await database.close()
    with psycopg.connect(settings.database.role_url("app")) as connection:
        statements = [sql.SQL("SELECT count(*) FROM app.{}").format(sql.Identifier(table)) for table in _COUNTED]
        rows = [connection.execute(statement).fetchone() for statement in statements]
    return figures | {"import_rows": sum(row[0] for row in rows if row)}


async def _command(settings: Settings, *arguments: str) -> None:
    """Run `ideamint` in a new process."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.main", *arguments, env=ledgers.environment(settings),
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    code = await process.wait()
    assert code == 0, f"ideamint {' '.join(arguments)} ended with {code}"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="a .pb file")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    arguments = parser.parse_args()
    folder = configuration.load().paths.test_elections
    path = arguments.file or (folder / "poland_czestochowa_2020_.pb" if folder else None)
    if path is None:
        sys.exit("State a .pb file, or set IDEAMINT_TEST_ELECTIONS to a folder with poland_czestochowa_2020_.pb.")
    with ledgers.installation() as (settings, _):
        figures = asyncio.run(measure(settings, path.resolve()))
    ledgers.print_figures(figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
