"""Clients that disconnect and requests that are cancelled at random times under load leave nothing behind."""

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

DISCONNECTING_CLIENTS = 40
DISCONNECT_AFTER_MAX_S = 0.03
CANCEL_HEADER = b"x-cancel-after-s"

OPEN_TRANSACTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name LIKE 'ideamint-%%' AND state LIKE 'idle in transaction%%'
"""


class Cancelling:
    """Cancels a request after the seconds in a header, as servers other than uvicorn do when a client disconnects."""

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
    """A request: three of four allocate; one is a dry run, which uses a connection of the pool."""
    account = campaign.accounts[number % len(campaign.accounts)]
    body = f'{{"idea_id":"{campaign.idea_id}","coins":1}}'  # the same bytes as the other clients send
    path = campaign.path + ("?dry_run=true" if number % 4 == 3 else "")
    key = "" if number % 4 == 3 else f"Idempotency-Key: cancelled-{number}\r\n"
    cancel = f"{CANCEL_HEADER.decode()}: {random.uniform(0, DISCONNECT_AFTER_MAX_S):.4f}\r\n" if number % 2 else ""
    return (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {account.token}\r\n{key}{cancel}"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


async def send_and_disconnect(port: int, request: bytes) -> None:
    """Half of the clients wait for the response if the server cancels; all others disconnect, some while sending."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    is_complete = random.random() < 0.9
    writer.write(request if is_complete else request[: random.randrange(len(request))])
    if is_complete and CANCEL_HEADER in request and random.random() < 0.5:
        await reader.read(1)
    else:
        await asyncio.sleep(random.uniform(0, DISCONNECT_AFTER_MAX_S))
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
        await Run(campaign, [url], 1, key="before").execute()
        tasks_before = asyncio.all_tasks()
        numbers = iter(range(cancelled_requests))

        async def disconnect_repeatedly() -> None:
            for number in numbers:
                await send_and_disconnect(port, command(campaign, number))

        other_run = Run(campaign, [url], others)
        async with asyncio.TaskGroup() as group:
            group.create_task(other_run.execute())
            for _ in range(DISCONNECTING_CLIENTS):
                group.create_task(disconnect_repeatedly())

        await until(lambda: batcher._items == 0, "the batcher to finish")
        assert not batcher._waiting
        assert not batcher._turns
        # background work uses a connection from time to time; a leaked connection remains checked out
        await until(lambda: pool.checkedout() == 0, "all connections to be returned")
        await until(lambda: campaign.query(OPEN_TRANSACTIONS) == [(0,)], "all transactions to end")
        await until(lambda: asyncio.all_tasks() <= tasks_before, "all tasks to end")
        in_pool = pool.checkedin()

        executed = {
            f"{user_id} {key}": str(transfer_id)
            for user_id, key, transfer_id in campaign.query(
                "SELECT user_id, key, transfer_id FROM app.coin_keys WHERE campaign_id = %(campaign)s"
                " AND key LIKE 'cancelled-%%'"
            )
        }
        retries = Run(campaign, [url], cancelled_requests, key="cancelled")
        await retries.execute()

    for each in retries.acknowledged:
        before = executed.get(f"{each.account.user_id} {each.key}")
        assert each.is_replay == (before is not None)
        assert before in {None, each.transfer_id}
    assert around[0].cancelled > 0
    assert other_run.failures.total() == 0
    audit(campaign, [*other_run.acknowledged, *retries.acknowledged])
    figure(
        f"{cancelled_requests:,} cancelled requests, {around[0].cancelled:,} of them during processing on the server, while "
        f"{others:,} others completed: {in_pool} connections in the pool and 0 checked out, 0 open transactions, 0 tasks and "
        f"0 queued commands left; retries of {len(executed):,} returned the existing transfer, "
        f"retries of {cancelled_requests - len(executed):,} created one"
    )
