"""Measures bulk calls for 10,000 members over HTTP, and COPY of the same rows into the same tables as a reference.

    python -m benchmarks.bulk [--items 10000] [--rounds 3] [--json]

There are two databases on one server with fsync on. Each round creates a campaign in the first one, with a manager and
members. A server process grants the members their coins in one call and corrects each wallet in another one. The rows that
each call added (accounts, transfers, postings, events, the stored response) are copied into the second database, without
functions but with all keys, indexes, checks and triggers, including the deferred zero-sum trigger; both times include
COMMIT. COPY is the reference limit: it receives complete rows, while the call parses JSON, evaluates each item and returns
its outcome, and a correction also updates 10,000 wallets. `ratio` is COPY's time divided by the call's time. Figures are
medians of the rounds.

`split_ms` is the time of each part of such a call, in this process and without HTTP. `concurrent` is a further call of
corrections, during which people join the campaign and its members allocate: number of requests and waiting times.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import http.client
import json
import statistics
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from psycopg import sql
from sqlalchemy import text

from api.auth.service import create_user
from api.campaigns import bulk
from api.campaigns import service as campaigns
from api.campaigns.bulk_routes import PATH
from api.coins import service as coins
from api.coins.commands import corrections
from api.kernel.db import Database
from benchmarks import ledgers
from benchmarks.copies import copy_rows, fresh_database, read_rows
from benchmarks.log_ins import issue_tokens
from cli.local import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

KINDS = ("grant", "correct")
JOINERS = 200
ALLOCATORS = 200


@dataclass(frozen=True)
class BulkCampaign:
    """An active campaign whose members have no wallets yet, people who can join it, and access tokens."""

    campaign_id: UUID
    manager_id: UUID
    members: list[UUID]
    joiners: list[UUID]
    idea_id: UUID
    tokens: dict[UUID, str]

    def body(self, kind: str) -> bytes:
        """The request body with one item per member: a grant of the policy's coins, or a correction of 7 coins."""
        correction = {"coins": 7, "reason": "an hour of helping"} if kind == "correct" else {}
        items = [
            {"campaign_id": str(self.campaign_id), "user_id": str(user_id), "kind": kind, **correction}
            for user_id in self.members
        ]
        return json.dumps({"mode": "atomic", "items": items}).encode()


async def make_campaign(settings: Settings, database: Database, items: int) -> BulkCampaign:
    """Create a campaign, and insert `items` members directly into the table."""
    tokens: dict[UUID, str] = {}
    async with database.session(statement_timeout_ms=0) as session:
        manager = await create_user(session, email=f"{uuid4().hex}@example.org", display_name="Manager")
        campaign = await campaigns.create_campaign(session, actor_id=manager.id, title=f"Bulk {uuid4().hex}")
        await campaigns.activate_campaign(session, campaign, actor_id=manager.id)
        people = list(
            await session.scalars(
                text(
                    "INSERT INTO app.users (email, display_name) SELECT app.uuid7() || '@example.org', 'Member' "
                    "FROM generate_series(1, :count) RETURNING id"
                ),
                {"count": items + JOINERS},
            )
        )
        await session.execute(
            text("INSERT INTO app.memberships (campaign_id, user_id) SELECT :id, unnest(CAST(:people AS uuid[]))"),
            {"id": campaign.id, "people": people[:items]},
        )
        idea_id = uuid4()
        await coins.open_targets(session, campaign.id, {idea_id: None})
    callers = [manager.id, *people[:ALLOCATORS], *people[items:]]
    tokens = dict(zip(callers, await issue_tokens(settings, database, callers), strict=True))
    return BulkCampaign(campaign.id, manager.id, people[:items], people[items:], idea_id, tokens)


def send(port: int, token: str, path: str, body: bytes) -> tuple[int, bytes, float]:
    """POST with the token and a new idempotency key; returns status, body and seconds."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
    started = time.perf_counter()
    connection.request("POST", f"/api/v1{path}", body, headers)
    response = connection.getresponse()
    content = response.read()
    seconds = time.perf_counter() - started
    connection.close()
    return response.status, content, seconds


def call(port: int, bulk_campaign: BulkCampaign, kind: str) -> float:
    """Seconds of one bulk call; asserts that every item succeeded."""
    status, content, seconds = send(
        port, bulk_campaign.tokens[bulk_campaign.manager_id], PATH, bulk_campaign.body(kind)
    )
    assert status == 200, content[:500]
    assert json.loads(content)["succeeded"] == len(bulk_campaign.members), content[:500]
    return seconds


def added_rows(url: str) -> dict[str, bytes]:
    """Rows that the newest coin transaction added, by table, in COPY format."""
    newest = sql.SQL("(SELECT max(x.xid) FROM app.coin_transfers AS x)")
    moved = sql.SQL("(SELECT t.id FROM app.coin_transfers AS t WHERE t.xid = {})").format(newest)
    opened = sql.SQL(
        "SELECT p.account_id FROM app.coin_postings AS p WHERE p.account_version = 1 AND p.transfer_id IN {}"
    )
    return read_rows(
        url,
        {
            "coin_accounts": sql.SQL("id IN ({})").format(opened.format(moved)),
            "coin_transfers": sql.SQL("xid = {}").format(newest),
            "coin_postings": sql.SQL("transfer_id IN {}").format(moved),
            "events": sql.SQL("xid = {}").format(newest),
            "idempotent_responses": sql.SQL(
                "created_at = (SELECT max(r.created_at) FROM app.idempotent_responses AS r)"
            ),
        },
    )


def existing_rows(url: str, bulk_campaign: BulkCampaign) -> dict[str, bytes]:
    """Rows that exist before the first call and are needed before COPY, by table."""
    of_campaign = sql.SQL("campaign_id = {}").format(sql.Literal(bulk_campaign.campaign_id))
    people = sql.SQL("id IN (SELECT m.user_id FROM app.memberships AS m WHERE m.{})").format(of_campaign)
    moved = sql.SQL("transfer_id IN (SELECT t.id FROM app.coin_transfers AS t WHERE t.{})").format(of_campaign)
    tables = (
        "memberships",
        "coin_policies",
        "coin_accounts",
        "coin_ledgers",
        "coin_targets",
        "coin_transfers",
        "events",
    )
    campaign = sql.SQL("id = {}").format(sql.Literal(bulk_campaign.campaign_id))
    more = {"users": people, "campaigns": campaign, "coin_postings": moved}
    return read_rows(url, {**dict.fromkeys(tables, of_campaign), **more})


def measure_round(first: Settings, second: Settings, port: int, items: int) -> dict[str, Any]:
    """Seconds of both calls in a new campaign, and of COPY of their rows."""
    bulk_campaign = asyncio.run(_with_database(first, lambda database: make_campaign(first, database, items)))
    first_url, second_url = (postgres.admin_url(settings) for settings in (first, second))
    copy_rows(second_url, existing_rows(first_url, bulk_campaign))
    figures: dict[str, Any] = {}
    for kind in KINDS:
        call_s = call(port, bulk_campaign, kind)
        copy_s, rows = copy_rows(second_url, added_rows(first_url))
        assert rows["coin_postings"] == 2 * items, rows
        figures[kind] = {
            "call_s": call_s,
            "copy_s": copy_s,
            "ratio": copy_s / call_s,
            "items_per_s": items / call_s,
            "rows_copied": sum(rows.values()),
        }
    figures["concurrent"] = measure_concurrent(port, bulk_campaign)
    return figures


async def _with_database(settings: Settings, work: Any) -> Any:
    database = Database(settings.database)
    try:
        return await work(database)
    finally:
        await database.close()


def measure_concurrent(port: int, bulk_campaign: BulkCampaign) -> dict[str, Any]:
    """Waiting times of joins and allocations during a call of corrections."""
    is_over = threading.Event()
    waited_ms: dict[str, list[float]] = {"join": [], "allocate": []}
    statuses: dict[str, Counter[int]] = {"join": Counter(), "allocate": Counter()}

    def repeat(what: str, user_ids: list[UUID], path: str, body: bytes) -> None:
        for user_id in user_ids:
            if is_over.is_set():
                return
            status, _, seconds = send(
                port, bulk_campaign.tokens[user_id], f"/campaigns/{bulk_campaign.campaign_id}{path}", body
            )
            statuses[what][status] += 1
            waited_ms[what].append(seconds * 1000)

    allocation = json.dumps({"idea_id": str(bulk_campaign.idea_id), "coins": 1}).encode()
    threads = [
        threading.Thread(target=repeat, args=("join", bulk_campaign.joiners, "/join", b"")),
        threading.Thread(
            target=repeat, args=("allocate", bulk_campaign.members[:ALLOCATORS], "/coins/allocate", allocation)
        ),
    ]
    for thread in threads:
        thread.start()
    call_s = call(port, bulk_campaign, "correct")
    is_over.set()
    for thread in threads:
        thread.join()
    row = {
        what: {"statuses": dict(statuses[what]), "ms_max": round(max(waited_ms[what]))} for what in ("join", "allocate")
    }
    return {"call_s": round(call_s, 3), **row}


async def measure_split(settings: Settings, database: Database, items: int) -> dict[str, dict[str, int]]:
    """Milliseconds of each part of a call: parsing JSON, the database function, the rest, COMMIT."""
    bulk_campaign = await make_campaign(settings, database, items)
    manager = bulk.Manager(bulk_campaign.manager_id, is_admin=False)
    spent: dict[str, float] = {}

    @contextmanager
    def timed(part: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        spent[part] = spent.get(part, 0) + (time.perf_counter() - started) * 1000

    function = corrections.correct_coins

    async def timed_function(*arguments: Any, **more: Any) -> Any:
        with timed("function"):
            return await function(*arguments, **more)

    split: dict[str, dict[str, int]] = {}
    gc.collect()
    gc.freeze()  # as the server does at its start
    bulk.correct_coins = timed_function  # type: ignore[attr-defined]
    try:
        for kind in KINDS:
            spent.clear()
            raw = bulk_campaign.body(kind)
            async with database.session() as session:
                with timed("parse"):
                    body = bulk.BulkAllocate.model_validate_json(raw)
                with timed("total"):
                    response = await bulk.allocate_in_bulk(session, body.items, mode="atomic", manager=manager)
                with timed("encode"):
                    response.model_dump_json(exclude_none=True)
                with timed("commit"):
                    await session.commit()
            spent["rest"] = spent.pop("total") - spent["function"]
            split[kind] = {part: round(ms) for part, ms in spent.items()}
    finally:
        bulk.correct_coins = function  # type: ignore[attr-defined]
    return split


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=bulk.ITEMS_MAX, help="items per call")
    parser.add_argument("--rounds", type=int, default=3, help="number of rounds; figures are medians")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    with ledgers.installation() as (settings, _):
        second = fresh_database(settings, "copied")
        with ledgers.api(settings) as port:
            rounds = [measure_round(settings, second, port, arguments.items) for _ in range(arguments.rounds)]
        split = asyncio.run(
            _with_database(settings, lambda database: measure_split(settings, database, arguments.items))
        )
    figures: dict[str, Any] = {
        kind: {figure: round(statistics.median(each[kind][figure] for each in rounds), 3) for figure in rounds[0][kind]}
        for kind in KINDS
    }
    figures |= {"split_ms": split, "concurrent": [each["concurrent"] for each in rounds]}
    if arguments.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for kind in KINDS:
        row = figures[kind]
        sys.stdout.write(
            f"{kind}: {arguments.items:,} items in {row['call_s']:.2f} s ({row['items_per_s']:,.0f}/s), COPY of their "
            f"{row['rows_copied']:,.0f} rows in {row['copy_s']:.2f} s: {row['ratio']:.0%} of COPY's rate\n"
            f"  parts, ms: {split[kind]}\n"
        )
    for each in figures["concurrent"]:
        sys.stdout.write(f"during a call of {each['call_s']:.2f} s: {each['join']}, {each['allocate']}\n")


if __name__ == "__main__":
    main()
