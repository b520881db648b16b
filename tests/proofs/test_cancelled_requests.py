"""Disconnecting clients and cancelled requests, at random times and under load, leave nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from settings import Settings
from tests.factories.containers import parts, pool_of
from tests.proofs.clients import Run, audit
from tests.proofs.installations import Campaign, make_campaign, served, until

LEAVERS = 40
LONGEST_STAY_S = 0.03
CANCEL_HEADER = b"x-cancel-after-s"

OPEN_TRANSACTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'ideamint-%%' AND state LIKE 'idle in transaction%%'
"""


class Cancelling:
    """Cancels a request after the seconds in a header: uvicorn never does, other servers do when a client
    disconnects."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.cancelled = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        after_s = dict(scope.get("headers", ())).get(CANCEL_HEADER)
        if after_s is None:
            await self.app(scope, receive, send)
            return
        has_begun = False

        async def send_on(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        handling = asyncio.ensure_future(self.app(scope, receive, send_on))
        await asyncio.wait({handling}, timeout=float(after_s))
        self.cancelled += handling.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await handling
        if not has_begun:
            await send({"type": "http.response.start", "status": 499, "headers": [(b"content-length", b"0")]})
            await send({"type": "http.response.body"})


def command(campaign: Campaign, number: int) -> bytes:
    """A request: three of four allocate, and one is a dry run, on a connection of the pool."""
    account = campaign.accounts[number % len(campaign.accounts)]
    body = f'{{"idea_id":"{campaign.idea_id}","coins":1}}'  # the same bytes as the other clients send
    path = campaign.path + ("?dry_run=true" if number % 4 == 3 else "")
    key = "" if number % 4 == 3 else f"Idempotency-Key: left-{number}\r\n"
    cancel = f"{CANCEL_HEADER.decode()}: {random.uniform(0, LONGEST_STAY_S):.4f}\r\n" if number % 2 else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {account.token}\r\n{key}{cancel}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def send_and_leave(port: int, request: bytes) -> None:
    """Half of the clients wait for the response if the server cancels; all others disconnect, some while sending."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    is_whole = random.random() < 0.9
    writer.write(request if is_whole else request[: random.randrange(len(request))])
    if is_whole and CANCEL_HEADER in request and random.random() < 0.5:
        await reader.read(1)
    else:
        await asyncio.sleep(random.uniform(0, LONGEST_STAY_S))
    writer.transport.abort()


async def test_nothing_is_left_of_cancelled_requests(
    database: Settings, figure: Callable[[str], None], *, full: bool
) -> None:
    cancelled_requests, others = (10_000, 2_000) if full else (500, 200)
    campaign = await make_campaign(database, members=100, coins_per_member=cancelled_requests + others)
    around: list[Cancelling] = []

    def wrapped(app: ASGIApp) -> ASGIApp:
        around.append(Cancelling(app))
        return around[0]

    async with served(database, wrapped) as (app, url):
        port = urlsplit(url).port
        assert port is not None
        pool, batcher = pool_of(app), parts(app).batcher
        await Run(campaign, [url], 1, key="before").carry_out()
        tasks_before = asyncio.all_tasks()
        numbers = iter(range(cancelled_requests))

        async def leave_again_and_again() -> None:
            for number in numbers:
                await send_and_leave(port, command(campaign, number))

        going_on = Run(campaign, [url], others)
        async with asyncio.TaskGroup() as group:
            group.create_task(going_on.carry_out())
            for _ in range(LEAVERS):
                group.create_task(leave_again_and_again())

        await until(lambda: batcher._items == 0, "the batcher to finish")
        assert not batcher._waiting
        assert not batcher._turns
        # background work uses a connection now and then; a leaked connection stays checked out
        await until(lambda: pool.checkedout() == 0, "all connections to be back")
        await until(lambda: campaign.query(OPEN_TRANSACTIONS) == [(0,)], "every transaction to be over")
        await until(lambda: asyncio.all_tasks() <= tasks_before, "every task to be over")
        in_pool = pool.checkedin()

        carried_out = {
            f"{user_id} {key}": str(transfer_id)
            for user_id, key, transfer_id in campaign.query(
                "SELECT user_id, key, transfer_id FROM app.coin_keys WHERE campaign_id = %(campaign)s"
                " AND key LIKE 'left-%%'"
            )
        }
        again = Run(campaign, [url], cancelled_requests, key="left")
        await again.carry_out()

    for each in again.acknowledged:
        before = carried_out.get(f"{each.account.user_id} {each.key}")
        assert each.is_replay == (before is not None)
        assert before in {None, each.transfer_id}
    assert around[0].cancelled > 0
    assert going_on.failures.total() == 0
    audit(campaign, [*going_on.acknowledged, *again.acknowledged])
    figure(
        f"{cancelled_requests:,} cancelled requests, {around[0].cancelled:,} of them in mid-flight on the server, while "
        f"{others:,} others were answered: {in_pool} connections in the pool and 0 out, 0 open transactions, 0 tasks and "
        f"0 queued commands left; asked again, {len(carried_out):,} had been carried out and gave their transfer, "
        f"{cancelled_requests - len(carried_out):,} were carried out then"
    )
