"""A database that does not respond: excess requests are refused immediately, and accepted commands are not lost."""

from __future__ import annotations

import asyncio
import os
import signal
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import httpx2
from fastapi import FastAPI

from settings import Settings
from tests.factories.clocks import GIVE_UP_AFTER_S
from tests.factories.containers import batcher_pid, parts
from tests.proofs.clients import Run, allocate, audit
from tests.proofs.installations import Campaign, make_campaign, served, until

QUEUE_MAX = 20


@asynccontextmanager
async def frozen(app: FastAPI, campaign: Campaign, url: str) -> AsyncIterator[int]:
    """Suspend the batcher's server process while it waits for a command; yields the process."""
    run = Run(campaign, [url], 1, key="before")
    await run.execute()
    pid = batcher_pid(app)
    os.kill(pid, signal.SIGSTOP)
    try:
        yield pid
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_full_queue_refuses_further_commands_at_once(
    database: Settings, figure: Callable[[str], None], *, full: bool
) -> None:
    commands = 2_000 if full else 200
    settings = database.with_(ledger_queue_max=QUEUE_MAX, statement_timeout_ms=GIVE_UP_AFTER_S * 1000)
    campaign = await make_campaign(database, members=100, coins_per_member=commands)
    waits_s: list[float] = []
    limit = asyncio.Semaphore(4)

    async with (
        served(settings) as (app, url),
        httpx2.AsyncClient(trust_env=False, timeout=GIVE_UP_AFTER_S, limits=httpx2.Limits(max_connections=100)) as http,
    ):

        async def request(number: int) -> httpx2.Response:
            account = campaign.accounts[number % len(campaign.accounts)]
            return await allocate(http, url, campaign, account, f"command-{number}")

        async def timed_request(number: int) -> httpx2.Response:
            async with limit:
                started_at = time.monotonic()
                response = await request(number)
                waits_s.append(time.monotonic() - started_at)
            return response

        async with frozen(app, campaign, url):
            queued = [asyncio.create_task(request(number)) for number in range(QUEUE_MAX)]
            await until(lambda: parts(app).batcher._items == QUEUE_MAX, "a full queue")
            async with asyncio.timeout(GIVE_UP_AFTER_S):
                refused = await asyncio.gather(*(timed_request(number) for number in range(QUEUE_MAX, commands)))
            assert {response.status_code for response in refused} == {503}
            assert {response.headers["Retry-After"] for response in refused} == {"1"}
            assert {response.json()["type"] for response in refused} == {"urn:ideamint:problem:ledger-busy"}
            assert parts(app).batcher._items == QUEUE_MAX
            assert not any(task.done() for task in queued)
        responses = await asyncio.gather(*queued)
        assert {response.status_code for response in responses} == {201}

        run = Run(campaign, [url], commands)
        await run.execute()
    replayed = {each.transfer_id for each in run.acknowledged if each.is_replay}
    assert replayed == {response.json()["transfer_id"] for response in responses}
    assert parts(app).batcher._items == 0
    audit(campaign, run.acknowledged)
    figure(
        f"{commands:,} commands while PostgreSQL was suspended, queue of {QUEUE_MAX}: {len(refused):,} times 503 with "
        f"Retry-After, half of them within {statistics.median(waits_s) * 1000:.0f} ms; then all {commands:,} acknowledged, 0 lost, 0 doubled"
    )


async def test_a_hanging_connection_is_replaced(
    database: Settings, figure: Callable[[str], None], *, full: bool
) -> None:
    """The suspended process resumes and executes its commands after another connection did; the key prevents a second effect."""
    commands = 1_000 if full else 200
    settings = database.with_(statement_timeout_ms=1_000)
    campaign = await make_campaign(database, members=100, coins_per_member=commands)
    async with served(settings) as (app, url):
        async with frozen(app, campaign, url) as pid:
            frozen_at = time.monotonic()
            run = Run(campaign, [url], commands)
            await run.execute()
            assert batcher_pid(app) != pid
            back_s = min(each.received_at for each in run.acknowledged) - frozen_at
        alive = "SELECT count(*) FROM pg_stat_activity WHERE pid = " + str(pid)
        await until(lambda: campaign.query(alive) == [(0,)], "the resumed process to notice the closed connection")
    audit(campaign, run.acknowledged)
    figure(
        f"a suspended server process: allocations continue on another one after {back_s:.1f} s, {run.failures['503']} "
        f"times 503 until then; {commands:,} acknowledged, 0 lost, 0 doubled, also after it resumed"
    )
