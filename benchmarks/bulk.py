"""Coins for 10,000 members in one call over HTTP, beside COPY of the very same rows into the very same tables.

    python -m benchmarks.bulk [--items 10000] [--rounds 3] [--json]

Two databases on one server with fsync on. Each round makes a campaign in the first, with a manager and members, and a
real server process grants the members their coins in one call, then corrects each wallet in another. What each call
added (accounts, transfers, postings, events, the reply kept for its key) is copied into the second database, past all
functions but with every key, index, check and trigger; the deferred zero-sum trigger too, so COMMIT is part of both
times. COPY is the limit: it is handed finished rows, where the call reads JSON, judges each item and tells what became
of it, and a correction updates 10,000 wallets besides. `ratio` is COPY's time by the call's; of the rounds the median
is told.

`split_ms` is where the time of such a call goes, in this process and without HTTP. `beside` is one more call of
corrections, during which people join that campaign and a member of it allocates: how often and how long each waited.
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
from api.auth.sessions import start_session
from api.auth.tokens import issue_access_token
from api.campaigns import bulk
from api.campaigns import service as campaigns
from api.campaigns.bulk_routes import PATH
from api.coins import service as coins
from api.coins.commands import corrections
from api.kernel.db import Database
from benchmarks import ledgers
from benchmarks.copies import copy_rows, fresh_database, read_rows
from cli.local import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

KINDS = ("grant", "correct")
JOINERS = 200
ALLOCATORS = 200


@dataclass(frozen=True)
class Place:
    """An active campaign whose members have no wallets yet, and people who may join it; access tokens of some."""

    campaign_id: UUID
    manager_id: UUID
    members: list[UUID]
    joiners: list[UUID]
    idea_id: UUID
    tokens: dict[UUID, str]

    def body(self, kind: str) -> bytes:
        """An item a member: the policy's coins, or 7 more."""
        correction = {"coins": 7, "reason": "an hour of helping"} if kind == "correct" else {}
        items = [
            {"campaign_id": str(self.campaign_id), "user_id": str(user_id), "kind": kind, **correction}
            for user_id in self.members
        ]
        return json.dumps({"mode": "atomic", "items": items}).encode()


async def make_place(settings: Settings, database: Database, items: int) -> Place:
    """A campaign, and `items` members that were written past its functions."""
    tokens: dict[UUID, str] = {}
    async with database.session(statement_timeout_ms=0) as session:
        manager = await create_user(session, email=f"{uuid4().hex}@example.org", display_name="Manager")
        campaign = await campaigns.create_campaign(session, actor_id=manager.id, title=f"Bulk {uuid4().hex}")
        await campaigns.activate_campaign(session, campaign, actor_id=manager.id)
        people = list(
            await session.scalars(
                text(
                    "INSERT INTO app.users (email, display_name) SELECT app.uuid7() || '@example.org', 'Somebody' "
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
        for user_id in (manager.id, *people[:ALLOCATORS], *people[items:]):
            issued = await start_session(session, settings, user_id, kind="token")
            assert issued is not None
            tokens[user_id] = issue_access_token(settings, issued.user, issued.session_id)
    return Place(campaign.id, manager.id, people[:items], people[items:], idea_id, tokens)


def send(port: int, token: str, path: str, body: bytes) -> tuple[int, bytes, float]:
    """POST with that token and a new key: (status, body, seconds)."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
    started = time.perf_counter()
    connection.request("POST", f"/api/v1{path}", body, headers)
    response = connection.getresponse()
    answer = response.read()
    seconds = time.perf_counter() - started
    connection.close()
    return response.status, answer, seconds


def call(port: int, place: Place, kind: str) -> float:
    """Seconds of one bulk call, in which every item has to succeed."""
    status, answer, seconds = send(port, place.tokens[place.manager_id], PATH, place.body(kind))
    assert status == 200, answer[:500]
    assert json.loads(answer)["succeeded"] == len(place.members), answer[:500]
    return seconds


def added_rows(url: str) -> dict[str, bytes]:
    """What the newest transaction that moved coins added to each table, as COPY gives it."""
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


def standing_rows(url: str, place: Place) -> dict[str, bytes]:
    """What stood before the first call, and has to stand before COPY."""
    of_campaign = sql.SQL("campaign_id = {}").format(sql.Literal(place.campaign_id))
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
    campaign = sql.SQL("id = {}").format(sql.Literal(place.campaign_id))
    more = {"users": people, "campaigns": campaign, "coin_postings": moved}
    return read_rows(url, {**dict.fromkeys(tables, of_campaign), **more})


def measure_round(first: Settings, second: Settings, port: int, items: int) -> dict[str, Any]:
    """Seconds of both calls of a new campaign, and of COPY after each."""
    place = asyncio.run(_with_database(first, lambda database: make_place(first, database, items)))
    first_url, second_url = (postgres.admin_url(settings) for settings in (first, second))
    copy_rows(second_url, standing_rows(first_url, place))
    figures: dict[str, Any] = {}
    for kind in KINDS:
        call_s = call(port, place, kind)
        copy_s, rows = copy_rows(second_url, added_rows(first_url))
        assert rows["coin_postings"] == 2 * items, rows
        figures[kind] = {
            "call_s": call_s,
            "copy_s": copy_s,
            "ratio": copy_s / call_s,
            "items_per_s": items / call_s,
            "rows_copied": sum(rows.values()),
        }
    figures["beside"] = measure_beside(port, place)
    return figures


async def _with_database(settings: Settings, work: Any) -> Any:
    database = Database(settings)
    try:
        return await work(database)
    finally:
        await database.close()


def measure_beside(port: int, place: Place) -> dict[str, Any]:
    """What joins of the campaign and a member's allocations meet while a call of corrections is under way."""
    is_over = threading.Event()
    waited_ms: dict[str, list[float]] = {"join": [], "allocate": []}
    statuses: dict[str, Counter[int]] = {"join": Counter(), "allocate": Counter()}

    def repeat(what: str, user_ids: list[UUID], path: str, body: bytes) -> None:
        for user_id in user_ids:
            if is_over.is_set():
                return
            status, _, seconds = send(port, place.tokens[user_id], f"/campaigns/{place.campaign_id}{path}", body)
            statuses[what][status] += 1
            waited_ms[what].append(seconds * 1000)

    allocation = json.dumps({"idea_id": str(place.idea_id), "coins": 1}).encode()
    threads = [
        threading.Thread(target=repeat, args=("join", place.joiners, "/join", b"")),
        threading.Thread(target=repeat, args=("allocate", place.members[:ALLOCATORS], "/coins/allocate", allocation)),
    ]
    for thread in threads:
        thread.start()
    call_s = call(port, place, "correct")
    is_over.set()
    for thread in threads:
        thread.join()
    told = {
        what: {"statuses": dict(statuses[what]), "ms_max": round(max(waited_ms[what]))} for what in ("join", "allocate")
    }
    return {"call_s": round(call_s, 3), **told}


async def measure_split(settings: Settings, database: Database, items: int) -> dict[str, dict[str, int]]:
    """Milliseconds that each part of a call takes: reading JSON, the database function, the rest of it, COMMIT."""
    place = await make_place(settings, database, items)
    manager = bulk.Manager(place.manager_id, is_admin=False)
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
    gc.freeze()  # as the server does
    bulk.correct_coins = timed_function  # type: ignore[attr-defined]
    try:
        for kind in KINDS:
            spent.clear()
            raw = place.body(kind)
            async with database.session() as session:
                with timed("parse"):
                    body = bulk.BulkAllocate.model_validate_json(raw)
                with timed("whole"):
                    reply = await bulk.allocate_in_bulk(session, body.items, mode="atomic", manager=manager)
                with timed("encode"):
                    reply.model_dump_json(exclude_none=True)
                with timed("commit"):
                    await session.commit()
            spent["judge_and_tell"] = spent.pop("whole") - spent["function"]
            split[kind] = {part: round(ms) for part, ms in spent.items()}
    finally:
        bulk.correct_coins = function  # type: ignore[attr-defined]
    return split


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=bulk.ITEMS_MAX, help="items of a call")
    parser.add_argument("--rounds", type=int, default=3, help="how often to measure; the median is told")
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
    figures |= {"split_ms": split, "beside": [each["beside"] for each in rounds]}
    if arguments.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for kind in KINDS:
        told = figures[kind]
        sys.stdout.write(
            f"{kind}: {arguments.items:,} items in {told['call_s']:.2f} s ({told['items_per_s']:,.0f}/s), COPY of their "
            f"{told['rows_copied']:,.0f} rows in {told['copy_s']:.2f} s: {told['ratio']:.0%} of COPY's rate\n"
            f"  of it, ms: {split[kind]}\n"
        )
    for beside in figures["beside"]:
        sys.stdout.write(f"beside a call of {beside['call_s']:.2f} s: {beside['join']}, {beside['allocate']}\n")


if __name__ == "__main__":
    main()
