"""Measures the merge of 5 ideas with 10,000 stakes, its undo, and their effect on other members.

    python -m benchmarks.merge [--stakes 10000] [--window 2] [--json]

Embedded PostgreSQL with fsync on, and one server process. Each backer has coins on two of the five ideas, more than the maximum
per member and idea together, so coins also return to wallets. 32 clients allocate over HTTP for a thousand other members on 200
other ideas, in windows of a few seconds: some before, then until the merge and its undo have ended. `per_s` counts allocations,
`rate_ratio` is that during the merge and its undo divided by that before. `alone` has the seconds until the responses without
load. After each undo, every balance of the backers must be as before. Conservation is verified at the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

import psycopg

from api.auth.service import create_user
from api.campaigns import service as campaigns
from api.coins import service as coins
from api.coins.policies import PolicyWrite
from api.ideas import service as ideas
from api.kernel.db import Database
from api.kernel.ids import uuid7
from benchmarks import http_load, ledgers
from benchmarks.bulk import send
from benchmarks.log_ins import issue_tokens
from benchmarks.settle import (
    LOADING_MEMBERS,
    MOVES_PER_CALL,
    OTHER_IDEAS,
    WINDOWS_BEFORE,
    SettlementCampaign,
    make_plan,
    summarise,
)
from cli.local import postgres

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from settings import Settings

IDEAS = 5
COINS = 2_000  # the other members stay far below the maximum
COINS_MAX = 3_000

_BALANCES = """
    SELECT md5(string_agg(a.id || ':' || a.balance_coins, ',' ORDER BY a.id)) FROM app.coin_accounts AS a
    WHERE a.campaign_id = %(campaign_id)s AND a.balance_coins > 0 AND a.user_id = ANY (%(members)s)
"""


async def make_campaign(settings: Settings, stakes: int) -> tuple[SettlementCampaign, list[UUID], list[UUID]]:
    """Create the campaign; returns it with the loading members, the ideas to merge, and their backers."""
    database = Database(settings.database)
    policy = PolicyWrite(coins_per_member=1_000_000, coins_per_member_and_idea_max=COINS_MAX)
    async with database.session(statement_timeout_ms=0) as session:
        manager = await create_user(session, email="manager@example.org", display_name="Manager")
        campaign = await campaigns.create_campaign(session, actor_id=manager.id, title="Many stakes", policy=policy)
        await campaigns.activate_campaign(session, campaign, actor_id=manager.id)
        made = [
            await ideas.submit_idea(
                session, campaign, author_id=manager.id, title=f"Idea number {n}", description="What it is. " * 5
            )
            for n in range(IDEAS + OTHER_IDEAS)
        ]
        backers, others = ([uuid7() for _ in range(count)] for count in (stakes // 2, LOADING_MEMBERS))
        await coins.grant_coins(session, campaign.id, [*backers, *others], actor_id=None)
    merged = [idea.id for idea in made[:IDEAS]]
    moves = [
        coins.Move(campaign.id, backers[n % len(backers)], None, merged[n * IDEAS // stakes], COINS)
        for n in range(stakes)
    ]
    for start in range(0, stakes, MOVES_PER_CALL):
        async with database.session(statement_timeout_ms=0) as session:
            outcomes = await coins.move_coins(session, moves[start : start + MOVES_PER_CALL], is_import=True)
        assert all(outcome.succeeded for outcome in outcomes)
    (token,) = await issue_tokens(settings, database, [manager.id])
    await database.close()
    loading = SettlementCampaign(campaign.id, others, {}, [idea.id for idea in made[IDEAS:]], token)
    return loading, merged, backers


def merge_and_undo(
    settings: Settings, port: int, campaign: SettlementCampaign, merged: list[UUID], backers: list[UUID]
) -> dict[str, Any]:
    """Preview the merge, merge and undo; seconds of each, and what was moved."""
    target, *sources = merged
    body = json.dumps({"idea_ids": [str(source) for source in sources], "reason": "The same five times."}).encode()
    scope = {"campaign_id": campaign.campaign_id, "members": backers}
    with psycopg.connect(settings.database.role_url("app"), autocommit=True) as connection:
        before = connection.execute(_BALANCES, scope).fetchone()
        seconds = {}
        for name, path, sent in (
            ("preview_s", "/merge?dry_run=true", body),
            ("merge_s", "/merge", body),
            ("undo_s", "/merge/undo", json.dumps({"reason": "By mistake."}).encode()),
        ):
            code, content, seconds[name] = send(port, campaign.token, f"/ideas/{target}{path}", sent)
            assert code == 200, content
            if name == "merge_s":
                found = json.loads(content)
                assert connection.execute(_BALANCES, scope).fetchone() != before
        assert connection.execute(_BALANCES, scope).fetchone() == before, "a balance differs after the undo"
    counted = {name: found[name] for name in ("moved_coins", "returned_coins", "backers", "members_with_returns")}
    return {**{name: round(each, 2) for name, each in seconds.items()}, **counted}


def measure(load: Callable[[], http_load.Load], run: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The merge and its undo without load, then during the load; `load` runs one window."""
    alone = run()
    before = [load() for _ in range(WINDOWS_BEFORE)]
    loaded: dict[str, Any] = {}
    thread = threading.Thread(target=lambda: loaded.update(run()))
    thread.start()
    during = []
    while thread.is_alive():
        during.append(load())
    thread.join()
    assert loaded, "the merge during the load has failed"
    rates = {"before": summarise(before), "during": summarise(during)}
    return {
        "alone": alone,
        "loaded": loaded,
        **rates,
        "rate_ratio": round(rates["during"]["per_s"] / rates["before"]["per_s"], 2),
    }


async def verify(settings: Settings, campaign_id: UUID) -> None:
    """Verify the ledger."""
    database = Database(settings.database)
    async with database.session(statement_timeout_ms=0) as session:
        (found,) = await coins.verify(session, campaign_id)
    await database.close()
    assert found.holds, found


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stakes", type=int, default=10_000, help="stakes on the five ideas together")
    parser.add_argument("--window", type=float, default=2, help="seconds per window of the 32 clients")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    with ledgers.installation() as (settings, folder):
        campaign, merged, backers = asyncio.run(make_campaign(settings, arguments.stakes))
        with psycopg.connect(postgres.admin_url(settings), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE app.coin_accounts, app.coin_transfers, app.coin_postings")
        with ledgers.api(settings) as port:
            load = partial(http_load.run, make_plan(settings, port, campaign, arguments.window), folder)
            load()
            figures = measure(load, partial(merge_and_undo, settings, port, campaign, merged, backers))
        asyncio.run(verify(settings, campaign.campaign_id))
    if arguments.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for part in ("alone", "loaded", "before", "during"):
        sys.stdout.write(f"{part:7} {figures[part]}\n")
    sys.stdout.write(f"rate during the merge and its undo: {figures['rate_ratio']} of that before\n")


if __name__ == "__main__":
    main()
