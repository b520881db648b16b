"""The worker process, `ideamint worker`: runs consumers of events, jobs, and the background loops of the domains.

Any number of workers can run at the same time: leases, locks in the database and the job queue distribute the work.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

import settings as configuration
from api.container import Container, make_container
from api.domains import select_domains
from api.events.consumers import Consumer
from api.events.following import Following
from api.kernel import logs
from api.kernel.background import Background, Loop
from api.kernel.db import Database
from api.kernel.heartbeats import Heartbeat
from api.kernel.job_worker import JobWorker
from api.kernel.startup import DatabaseMissing, wait_for_database

if TYPE_CHECKING:
    from api.kernel.domains import Domain
    from settings import Settings

log = structlog.get_logger(__name__)

APPLICATION_NAME = "ideamint-worker"
POOL_SIZE = 5
POOL_OVERFLOW = 10
# The supervisor sends SIGKILL 10 s after SIGTERM; so do container hosts.
STOP_S = 7.0
CLOSE_S = 1.0


def make_loops(container: Container, domains: Sequence[Domain[Container]]) -> tuple[Loop, ...]:
    """All loops that a worker of these domains runs."""
    consumers = []
    for consumer in (each for domain in domains for each in domain.consumers):
        assert isinstance(consumer, Consumer)
        consumers.append(consumer)
    names = [consumer.name for consumer in consumers]
    assert len(set(names)) == len(names), "names of consumers are unique"
    jobs = [job for domain in domains for job in domain.jobs]
    return (
        Heartbeat().loop,
        *(Following(container.database, consumer).loop for consumer in consumers),
        *(JobWorker(container, jobs).loops if jobs else ()),
        *(loop for domain in domains for loop in domain.background),
    )


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[Background]:
    """A worker that runs in this process while the block lasts.

    Raises:
        SettingsError: a setting is wrong.
    """
    domains = select_domains(settings.installation.services)
    database = Database(
        settings.database, application_name=APPLICATION_NAME, pool_size=POOL_SIZE, pool_overflow=POOL_OVERFLOW
    )
    container = make_container(settings, database)
    background = Background(database, make_loops(container, domains), stop_s=STOP_S)
    try:
        async with background:
            yield background
    finally:
        try:
            await asyncio.wait_for(container.close(), CLOSE_S)
        except TimeoutError:
            log.warning("connections did not close in time")


async def serve(settings: Settings) -> None:
    """Run a worker until SIGTERM or SIGINT; ends the process if a loop does not stop in time."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    async with working(settings) as background:
        log.info("worker started")
        await stopping.wait()
    if background.unfinished:
        log.error("loops did not stop in time; the process ends", loops=background.unfinished)
        os._exit(1)  # asyncio.run would wait for them; the database rolls back their open transactions
    log.info("worker stopped")


def run(settings: Settings) -> None:
    """Configure the logs, wait for the database, and run a worker until it is stopped.

    Raises:
        DatabaseMissing: the database accepts no log-in in time.
    """
    logs.configure(settings.logs)
    wait_for_database(settings.database)
    asyncio.run(serve(settings))


if __name__ == "__main__":
    try:
        run(configuration.load())
    except (configuration.SettingsError, DatabaseMissing) as error:
        sys.exit(str(error))
