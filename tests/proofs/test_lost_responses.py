"""A connection that is cut after COMMIT and before the response: a retry with the same key returns the original result."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import orjson
import psycopg

from settings import Settings
from tests.proofs.clients import Run, audit
from tests.proofs.installations import Campaign, make_campaign, served, through_port
from tests.proofs.proxies import DroppingProxy, take_http_response, take_postgresql_response

KEY = re.compile(rb"command-\d+")


def port_of(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port


async def transfers_by_key(campaign: Campaign, keys: set[str]) -> dict[str, str]:
    """Committed transfers with these keys, read by another connection."""
    url = campaign.settings.database.role_url("app")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        rows = await connection.execute(
            "SELECT key, transfer_id FROM app.coin_keys WHERE campaign_id = %s AND key = ANY(%s)",
            (campaign.ledger.campaign_id, list(keys)),
        )
        return {key: str(transfer_id) for key, transfer_id in await rows.fetchall()}


class TestBetweenBatcherAndDatabase:
    async def test_the_batcher_retries_without_an_error_for_the_client(
        self, database: Settings, figure: Callable[[str], None], *, full: bool
    ) -> None:
        commands = 1_000 if full else 200
        campaign = await make_campaign(database, members=100, coins_per_member=commands)
        originals: dict[str, str] = {}

        async def record(keys: set[str], response: bytes) -> None:
            del response
            committed = await transfers_by_key(campaign, keys)
            assert committed.keys() == keys, "the server reported the commit"
            originals.update(committed)

        # a command shares calls with others whose first response is dropped, so it may lose several responses
        settings = database.with_(ledger_deadline_ms=60_000)
        proxy = DroppingProxy(port_of(str(database.database.url)), take_postgresql_response, KEY, record)
        async with proxy.listening() as port, served(through_port(settings, port)) as (_, url):
            run = Run(campaign, [url], commands)
            await run.execute()

        assert originals == {each.key: each.transfer_id for each in run.acknowledged}
        assert len(originals) == commands
        assert all(each.is_replay for each in run.acknowledged)
        assert "503" not in run.failures
        audit(campaign, run.acknowledged)
        figure(
            f"cut between batcher and database after COMMIT, {proxy.cuts} times: {len(originals):,} of {commands:,} "
            "commands returned the original result, after a retry by the batcher"
        )


class TestBetweenClientAndApi:
    async def test_a_retry_of_the_client_returns_the_same_body(
        self, database: Settings, figure: Callable[[str], None], *, full: bool
    ) -> None:
        commands = 1_000 if full else 200
        campaign = await make_campaign(database, members=100, coins_per_member=commands)
        originals: dict[str, bytes] = {}

        async def record(keys: set[str], response: bytes) -> None:
            head, _, body = response.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 201 "), response
            assert b"idempotency-replayed" not in head
            (key,) = keys
            originals[key] = body

        async with served(database) as (_, url):
            proxy = DroppingProxy(port_of(url), take_http_response, KEY, record)
            async with proxy.listening() as port:
                run = Run(campaign, [f"http://127.0.0.1:{port}"], commands)
                await run.execute()

        assert {key: orjson.loads(body) for key, body in originals.items()} == {
            each.key: each.body for each in run.acknowledged
        }
        assert len(originals) == commands == proxy.cuts
        assert all(each.is_replay for each in run.acknowledged)
        assert run.failures.total() == commands
        audit(campaign, run.acknowledged)
        figure(
            f"cut between client and API, {proxy.cuts:,} times: {len(originals):,} of {commands:,} retries returned the "
            "original body"
        )
