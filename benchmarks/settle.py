"""Measures acceptance and withdrawal of an idea with 100,000 stakes, and their effect on other members.

    python -m benchmarks.settle [--stakes 100000] [--window 2] [--json]

Embedded PostgreSQL with fsync on, and one server process. 32 clients allocate over HTTP, for a thousand members who are also
backers, on 200 other ideas of the same campaign, in windows of a few seconds: some before the change, then until it ends.
`before` and `during` contain their rate, the median of the windows' p99, and responses by status; `rate_ratio` is the rate
during divided by the rate before. `response_s` is the time until the response to the change. `settled_s` is the time until the
last stake was settled; both are equal for an acceptance, which is one transaction. `alone_s` is `settled_s` without load.
Conservation is verified at the end; `verify_s` is the duration.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from uuid import UUID

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
from benchmarks.log_ins import access_tokens, issue_tokens
from cli.local import postgres

if TYPE_CHECKING:
    from collections.abc import Callable

    from settings import Settings

Change = Literal["accepted", "withdrawn"]

CHANGES: tuple[Change, ...] = ("accepted", "withdrawn")
OTHER_IDEAS = 200
LOADING_MEMBERS = 1000
REQUESTS_PER_CLIENT = 200
MOVES_PER_CALL = 1000
WINDOWS_BEFORE = 3


@dataclass(frozen=True)
class SettlementCampaign:
    """A campaign with one idea to accept and one to withdraw for each run, and other ideas."""

    campaign_id: UUID
    members: list[UUID]
    decided: dict[tuple[Change, bool], UUID]
    others: list[UUID]
    token: str  # of the manager, who is also the author of every idea


async def make_campaign(settings: Settings, stakes: int) -> SettlementCampaign:
    """Create the campaign with its ideas and stakes; members are ids that exist only in the ledger."""
    database = Database(settings.database)
    policy = PolicyWrite(coins_per_member=1_000_000_000)
    async with database.session(statement_timeout_ms=0) as session:
        manager = await create_user(session, email="manager@example.org", display_name="Manager")
        campaign = await campaigns.create_campaign(session, actor_id=manager.id, title="Many stakes", policy=policy)
        await campaigns.activate_campaign(session, campaign, actor_id=manager.id)
        made = [
            await ideas.submit_idea(
                session, campaign, author_id=manager.id, title=f"Idea number {n}", description="What it is. " * 5
            )
            for n in range(4 + OTHER_IDEAS)
        ]
        members = [uuid7() for _ in range(stakes)]
        await coins.grant_coins(session, campaign.id, members, actor_id=None)
    kinds = [(status, alone) for status in CHANGES for alone in (True, False)]
    decided = dict(zip(kinds, (idea.id for idea in made), strict=False))
    for idea_id in decided.values():
        for start in range(0, stakes, MOVES_PER_CALL):
            moves = [
                coins.Move(campaign.id, member, None, idea_id, 1) for member in members[start : start + MOVES_PER_CALL]
            ]
            async with database.session(statement_timeout_ms=0) as session:
                outcomes = await coins.move_coins(session, moves, is_import=True)
            assert all(outcome.succeeded for outcome in outcomes)
    (token,) = await issue_tokens(settings, database, [manager.id])
    await database.close()
    return SettlementCampaign(campaign.id, members, decided, [idea.id for idea in made[4:]], token)


def make_plan(settings: Settings, port: int, campaign: SettlementCampaign, seconds: float) -> dict[str, Any]:
    """Requests of 32 clients, each for random members and ideas."""
    chooser = random.Random(1)
    tokens = access_tokens(settings, chooser.sample(campaign.members, min(LOADING_MEMBERS, len(campaign.members))))

    def request() -> str:
        idea_id = chooser.choice(campaign.others)
        return ledgers.allocation(campaign.campaign_id, chooser.choice(tokens), idea_id)

    connections = [[request() for _ in range(REQUESTS_PER_CLIENT)] for _ in range(ledgers.CLIENTS)]
    return {"host": "127.0.0.1", "port": port, "seconds": seconds, "connections": connections}


def summarise(windows: list[http_load.Load]) -> dict[str, Any]:
    """Summary of several windows: the overall rate, and the median of their p99."""
    statuses: Counter[int] = Counter()
    for window in windows:
        statuses.update(window.statuses)
    return {
        "per_s": round(statuses[201] / sum(window.elapsed_s for window in windows)),
        "p99_ms": round(statistics.median(window.p99_ms for window in windows), 1),
        "statuses": dict(statuses),
    }


def change(
    settings: Settings, port: int, campaign: SettlementCampaign, idea_id: UUID, status: Change
) -> dict[str, float]:
    """Change the status of the idea; seconds until the response, and until its last stake is settled."""
    started = time.perf_counter()
    code, content, response_s = send(
        port, campaign.token, f"/ideas/{idea_id}/status", json.dumps({"status": status}).encode()
    )
    assert code == 200, content
    with psycopg.connect(settings.database.role_url("app"), autocommit=True) as connection:
        while True:
            row = connection.execute(
                "SELECT settled_at IS NOT NULL FROM app.coin_targets WHERE idea_id = %s", (idea_id,)
            ).fetchone()
            if row == (True,):
                return {"response_s": round(response_s, 2), "settled_s": round(time.perf_counter() - started, 2)}
            time.sleep(0.05)


def measure(
    settings: Settings, port: int, campaign: SettlementCampaign, status: Change, load: Callable[[], http_load.Load]
) -> dict[str, Any]:
    """Measure the change without load, then the same change during the load; `load` runs one window."""
    alone = change(settings, port, campaign, campaign.decided[status, True], status)
    before = [load() for _ in range(WINDOWS_BEFORE)]
    times: dict[str, float] = {}

    def decide() -> None:
        times.update(change(settings, port, campaign, campaign.decided[status, False], status))

    thread = threading.Thread(target=decide)
    thread.start()
    during = []
    while thread.is_alive():
        during.append(load())
    thread.join()
    rates = {"before": summarise(before), "during": summarise(during)}
    rate_ratio = round(rates["during"]["per_s"] / rates["before"]["per_s"], 2)
    return {**rates, "rate_ratio": rate_ratio, **times, "alone_s": alone["settled_s"]}


async def verify(settings: Settings, campaign: SettlementCampaign) -> float:
    """Verify the ledger; returns the seconds."""
    database = Database(settings.database)
    async with database.session(statement_timeout_ms=0) as session:
        started = time.perf_counter()
        (found,) = await coins.verify(session, campaign.campaign_id)
        seconds = time.perf_counter() - started
    await database.close()
    assert found.holds, found
    assert found.expired_coins == 2 * len(campaign.members), found
    return seconds


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stakes", type=int, default=100_000, help="stakes per idea")
    parser.add_argument("--window", type=float, default=2, help="seconds per window of the 32 clients")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    with ledgers.installation() as (settings, folder):
        campaign = asyncio.run(make_campaign(settings, arguments.stakes))
        with psycopg.connect(postgres.admin_url(settings), autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE app.coin_accounts, app.coin_transfers, app.coin_postings")
        with ledgers.api(settings) as port:
            plan = make_plan(settings, port, campaign, arguments.window)
            load = partial(http_load.run, plan, folder)
            load()
            figures: dict[str, Any] = {status: measure(settings, port, campaign, status, load) for status in CHANGES}
        figures["verify_s"] = round(asyncio.run(verify(settings, campaign)), 2)
    if arguments.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for status in CHANGES:
        shown = figures[status]
        sys.stdout.write(
            f"{status}: response after {shown['response_s']} s, settled in {shown['settled_s']} s (alone {shown['alone_s']} s)\n"
        )
        for part in ("before", "during"):
            sys.stdout.write(
                f"  {part:7} {shown[part]['per_s']:>7,}/s, p99 {shown[part]['p99_ms']:,} ms, {shown[part]['statuses']}\n"
            )
    sys.stdout.write(f"verified in {figures['verify_s']} s\n")


if __name__ == "__main__":
    main()
