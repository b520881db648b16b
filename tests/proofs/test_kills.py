"""kill -9 of PostgreSQL and of the API during allocations: none is lost, none counts twice, and the service recovers."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import httpx2
import psycopg
import pytest_asyncio

from cli.local import postgres, postmaster
from tests.proofs.clients import Run, audit
from tests.proofs.installations import Installation, installed, make_campaign, supervised, until, until_ready

MEMBERS = 100
UNAGGREGATED = (
    "SELECT count(*) FROM app.coin_transfers "
    "WHERE campaign_id = %(campaign)s AND xid >= (SELECT aggregated_xid FROM app.coin_aggregations)"
)


@pytest_asyncio.fixture(scope="module")
async def installation(*, full: bool) -> AsyncIterator[Installation]:
    with installed() as settings:
        async with supervised(settings, apis=3 if full else 2) as installation:
            yield installation


async def kill_during(
    installation: Installation,
    kills: Sequence[Callable[[], Awaitable[None]]],
    commands: int,
    figure: Callable[[str], None],
) -> None:
    """Allocate, kill at regular intervals, and audit; each kill waits for the recovery from the previous one."""
    campaign = await make_campaign(installation.settings, members=MEMBERS, coins_per_member=commands)
    run = Run(campaign, installation.api_urls, commands)
    times_s: list[float] = []
    started_at = time.monotonic()
    async with asyncio.TaskGroup() as group:
        group.create_task(run.execute())
        for number, kill in enumerate(kills, start=1):
            await run.reach(number * commands // (len(kills) + 1))
            killed_at = time.monotonic()
            await kill()
            times_s.append(await run.recovery_time(killed_at))
    elapsed_s = time.monotonic() - started_at

    audit(campaign, run.acknowledged)
    assert len(run.acknowledged) == commands
    await until(lambda: campaign.query(UNAGGREGATED) == [(0,)], "the background work")
    replays = sum(each.is_replay for each in run.acknowledged)
    figure(
        f"{commands:,} allocations on one idea by {len(installation.api_urls)} API processes, {len(kills)} times kill -9: "
        f"0 lost, 0 doubled, {len(run.acknowledged):,} acknowledged and each with its transfer; {replays} acknowledged by a retry"
    )
    figure(f"service available again after {', '.join(f'{s:.1f}' for s in times_s)} s; the run took {elapsed_s:.0f} s")
    figure(f"errors seen by clients: {dict(run.failures.most_common())}")


async def test_postgresql(installation: Installation, figure: Callable[[str], None], *, full: bool) -> None:
    admin_url = postgres.admin_url(installation.settings)

    async def kill_postmaster() -> None:
        process = postmaster.find(installation.cluster.folder)
        assert process is not None
        process.kill()

    async def kill_backend() -> None:
        """Kill a backend of a batcher during a call."""
        async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
            for _ in range(10_000):
                found = await connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE application_name = 'ideamint-coins' AND state = 'active'"
                )
                if (row := await found.fetchone()) is not None:
                    os.kill(row[0], signal.SIGKILL)
                    return
        msg = "no batcher was active"
        raise AssertionError(msg)

    kills = [kill_postmaster, kill_backend] + [kill_postmaster, kill_backend, kill_postmaster] * full
    await kill_during(installation, kills, 10_000 if full else 1_000, figure)

    assert sum(line.startswith("PostgreSQL is running again") for line in installation.messages) == kills.count(
        kill_postmaster
    )
    assert not any("api" in line and "ended" in line for line in installation.messages), "an API process ended"


async def test_api(installation: Installation, figure: Callable[[str], None], *, full: bool) -> None:
    """Each process is killed twice at most, since three deaths within a minute end the installation."""
    turns = itertools.cycle(range(len(installation.api_urls)))
    restarts: list[asyncio.Task[float]] = []

    async def restart(number: int, killed: int) -> float:
        killed_at = time.monotonic()
        await until(lambda: installation.api_pid(number) not in {None, killed}, "a new process")
        async with httpx2.AsyncClient(trust_env=False) as http:
            await until_ready(http, installation.api_urls[number])
        return time.monotonic() - killed_at

    async def kill_api() -> None:
        number = next(turns)
        pid = installation.api_pid(number)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        restarts.append(asyncio.create_task(restart(number, pid)))

    await kill_during(installation, [kill_api] * (5 if full else 2), 10_000 if full else 1_000, figure)

    times_s = await asyncio.gather(*restarts)
    figure(f"the killed processes were ready again after {', '.join(f'{s:.1f}' for s in times_s)} s")
