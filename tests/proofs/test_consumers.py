"""Four worker processes share a consumer and are killed at every step: each event counts once, in order, and none is missed."""

from __future__ import annotations

import asyncio
import itertools
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from sqlalchemy import text

from tests.events.conftest import effects
from tests.factories.consumers import Probe, edit
from tests.factories.shells import measuring
from tests.proofs.consumer_worker import STEPS

if TYPE_CHECKING:
    from api.kernel.db import Database
    from settings import Settings

__all__ = ["effects"]

ROOT = Path(__file__).parents[2]
WORKERS = 4
CAMPAIGNS = 60
WRITERS = 6
TIMEOUT_S = 600

_LEFT = text(
    """
    SELECT (SELECT count(*) FROM app.event_failures WHERE consumer = :c),
        (SELECT count(*) FROM probe.effects WHERE consumer = :c)
    """
)
_WRITTEN = text(
    """
    SELECT e.id, e.campaign_id FROM app.events AS e
    WHERE e.kind = 'idea_edited' AND e.campaign_id = ANY (:campaigns) ORDER BY e.xid, e.id
    """
)
_EFFECTS = text("SELECT event_id, campaign_id FROM probe.effects WHERE consumer = :c ORDER BY n")


class Workers:
    """Worker processes of one consumer, each killed at its own step; a new process replaces a killed one."""

    def __init__(self, settings: Settings, name: str, outside: Path) -> None:
        self.arguments = [str(settings.database.url), name, str(outside)]
        self.environment = measuring() | {
            "APP_PASSWORD": settings.database.role_password("app"),
            "PYTHONPATH": str(ROOT),
        }
        self.running: list[subprocess.Popen[bytes]] = []
        self.kills: Counter[str] = Counter()
        self.steps: dict[int, str] = {}

    def start(self, step: str, after: int) -> None:
        """Start a process."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.proofs.consumer_worker", *self.arguments, step, str(after)],
            cwd=ROOT, env=self.environment,
        )  # fmt: skip
        self.steps[process.pid] = step
        self.running.append(process)

    def replace_killed(self, plan: Any) -> None:
        """Count killed processes, and start the next ones of the plan; after its end, workers that are not killed."""
        for process in [process for process in self.running if process.poll() is not None]:
            assert process.returncode == -signal.SIGKILL, (self.steps[process.pid], process.returncode)
            self.kills[self.steps[process.pid]] += 1
            self.running.remove(process)
            self.start(*next(plan, ("none", 0)))

    def stop(self) -> None:
        """Kill the running processes."""
        for process in self.running:
            process.kill()
            process.wait()


async def write(db: Database, campaigns: list[UUID], events: int, writer: int) -> None:
    """Write events of all campaigns, several per transaction; the transactions overlap."""
    written = 0
    while written < events:
        async with db.session() as session:
            for n in range(min(7, events - written)):
                await edit(session, campaigns[(writer + written * 7 + n) % len(campaigns)], written + n)
                if n == writer:
                    await asyncio.sleep(0.002)
        written += min(7, events - written)


async def test_kills_at_every_step(
    database: Settings, db: Database, effects: None, tmp_path: Path, figure: Callable[[str], None], *, full: bool
) -> None:
    total = 10_000 if full else 1_200
    outside = tmp_path / "outside"
    outside.touch()
    probe = Probe(db, {})
    await probe.following.register()
    campaigns = [uuid4() for _ in range(CAMPAIGNS)]
    rounds = 3 if full else 1
    plan = itertools.chain.from_iterable([[(step, 1 + n) for step in STEPS] for n in range(rounds)])
    workers = Workers(database, probe.name, outside)
    started_at = time.monotonic()
    try:
        for _ in range(WORKERS):
            workers.start(*next(plan))
        async with asyncio.TaskGroup() as group:
            for writer in range(WRITERS):
                group.create_task(write(db, campaigns, total // WRITERS, writer))
        written_total = total // WRITERS * WRITERS
        while True:
            workers.replace_killed(plan)
            async with db.session() as session:
                row: Any = (await session.execute(_LEFT, {"c": probe.name})).one()
                failures, done = int(row[0]), int(row[1])
            if failures == 0 and done >= written_total and sum(workers.kills.values()) >= rounds * len(STEPS):
                break
            if done >= written_total and failures == 0:
                # the next step is reached only with another event
                await probe.record(campaigns[done % CAMPAIGNS], done)
                written_total += 1
            assert time.monotonic() - started_at < TIMEOUT_S, (failures, done, workers.kills)
            await asyncio.sleep(0.1)
    finally:
        workers.stop()
    elapsed_s = time.monotonic() - started_at

    async with db.session() as session:
        written = [(row[0], row[1]) for row in await session.execute(_WRITTEN, {"campaigns": campaigns})]
        handled = [(row[0], row[1]) for row in await session.execute(_EFFECTS, {"c": probe.name})]
    assert len(written) == written_total
    assert Counter(id_ for id_, _ in handled) == Counter(id_ for id_, _ in written), "exactly once in PostgreSQL"
    assert _by_campaign(handled) == _by_campaign(written), "in the order of the transactions"
    lines = Counter(map(UUID, outside.read_text().split()))
    assert lines.keys() == {id_ for id_, _ in written}, "at least once in the file"
    assert await probe.failures() == []
    assert set(workers.kills) - {"none"} == set(STEPS)
    repeated = sum(count - 1 for count in lines.values())
    figure(
        f"{len(written):,} events of {CAMPAIGNS} campaigns, {WORKERS} worker processes, {sum(workers.kills.values())} times "
        f"kill -9 ({', '.join(f'{step} {count}' for step, count in sorted(workers.kills.items()))}): 0 missed, 0 handled "
        f"twice in PostgreSQL, order kept in each campaign; {repeated} repeated in the file; {elapsed_s:.0f} s"
    )


def _by_campaign(rows: list[tuple[UUID, UUID]]) -> dict[UUID, list[UUID]]:
    found: dict[UUID, list[UUID]] = defaultdict(list)
    for id_, campaign in rows:
        found[campaign].append(id_)
    return found
