"""A worker process for the proof of consumers: runs one consumer until it is killed, or kills itself at a step.

Usage: python -m tests.proofs.consumer_worker APP_URL CONSUMER OUTSIDE_FILE STEP AFTER. When it reaches
STEP for the AFTER-th time, it sends itself SIGKILL; the step "none" is never reached.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import PostgresDsn, SecretStr
from sqlalchemy import text

import settings as configuration
from api.events import queries
from api.events.consumers import Consumer, Event
from api.events.following import Following
from api.events.kinds import EventKind
from api.events.leases import Lease
from api.kernel.db import Database

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

STEPS = ("before_lease", "after_lease", "after_read", "in_handler", "before_commit", "after_commit")
_EFFECT = text("INSERT INTO probe.effects (consumer, event_id, campaign_id, number) VALUES (:c, :e, :g, :n)")


class Killer:
    """Kills the process when the chosen step is reached for the nth time."""

    def __init__(self, step: str, after: int) -> None:
        self.step, self.left = step, after

    def reach(self, step: str) -> None:
        """Called at each step of the consumer."""
        if step == self.step:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


def consumer(name: str, outside: Path, killer: Killer) -> Consumer:
    """A consumer that writes a row for each event, and a line with its id to a file, outside of the transaction."""

    async def handle(session: AsyncSession, events: Sequence[Event]) -> None:
        killer.reach("after_read")
        with outside.open("a") as file:
            for number, event in enumerate(events):
                data: dict[str, Any] = event.payload.as_data()
                values = {"c": name, "e": event.id, "g": event.campaign_id, "n": data["idea_version"]}
                await session.execute(_EFFECT, values)
                file.write(f"{event.id}\n")
                file.flush()
                if number == len(events) // 2:
                    killer.reach("in_handler")

    return Consumer(
        name=name, kinds=frozenset({EventKind.IDEA_EDITED}), handle=handle, batch_max=50, lease_s=4.0, backoff_s=0.1,
        attempts_max=20,
    )  # fmt: skip


class KilledFollowing(Following):
    """The product's `Following`, with steps around its transactions."""

    killer: Killer

    async def _take_lease(self, partition: int) -> Any:
        self.killer.reach("before_lease")
        lease = await super()._take_lease(partition)
        if lease is not None:
            self.killer.reach("after_lease")
        return lease

    async def _handle_batch(self, lease: Any) -> Any:
        result = await super()._handle_batch(lease)
        if result[1]:
            self.killer.reach("after_commit")
        return result


def add_step_before_commit(killer: Killer) -> None:
    """Add the step after the cursor is advanced in the transaction and before the commit."""
    change = Lease.change

    async def changed(self: Any, session: AsyncSession, statement: Any, **arguments: Any) -> None:
        await change(self, session, statement, **arguments)
        if statement is queries.ADVANCE:
            killer.reach("before_commit")

    Lease.change = changed  # type: ignore[method-assign]


async def main() -> None:
    """Run the consumer in a loop."""
    url, name, outside, step, after = sys.argv[1:]
    killer = Killer(step, int(after))
    add_step_before_commit(killer)
    settings = configuration.load(
        env_file=None, env="test", log_level="ERROR", database_url=PostgresDsn(url),
        app_password=SecretStr(os.environ["APP_PASSWORD"]),
    )  # fmt: skip
    database = Database(settings.database)
    worker = KilledFollowing(database, consumer(name, Path(outside), killer))
    worker.killer = killer
    while True:
        await worker.run_once()
        await asyncio.sleep(0.05)


if __name__ == "__main__":
    asyncio.run(main())
