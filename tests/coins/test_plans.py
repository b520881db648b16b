"""The cost of reading with 30,000 stakes: the plans of PostgreSQL for the application's queries, and the rows they read."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy import event

from api.coins import service as coins
from api.coins.reading.statements import list_statement
from api.coins.reading.statistics import get_statistics
from api.coins.service import Move
from tests.factories.campaigns import make_world, submit_many
from tests.factories.containers import noted_statements, parts
from tests.factories.idea_lists import list_ideas
from tests.factories.ledgers import aggregate_now

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from fastapi import FastAPI
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.lists.orders import Sort

IDEAS = 100
MEMBERS = 300
STAKES = IDEAS * MEMBERS
RECENT_IDEAS = 3
RECENT = RECENT_IDEAS * MEMBERS
LEDGER = {"coin_accounts", "coin_transfers", "coin_postings", "coin_flows_daily"}


@dataclass(frozen=True)
class Crowd:
    """A campaign in which each of `members` has a coin on each idea, most of them placed more than a week ago."""

    application: FastAPI
    campaign_id: UUID
    members: list[UUID]
    ideas: list[UUID]


@pytest_asyncio.fixture(scope="module")
async def crowd(application: FastAPI, admin_url: str) -> Crowd:
    async with AsyncClient(transport=ASGITransport(app=application), base_url="http://testserver") as client:
        world = await make_world(application, client, members=1, policy={"coins_per_member": IDEAS})
    ideas = await submit_many(world, IDEAS)
    members = [uuid4() for _ in range(MEMBERS)]
    long_ago = datetime.now(UTC) - timedelta(days=60)
    database = parts(application).database
    async with database.session(statement_timeout_ms=0) as session:
        await coins.grant_coins(session, world.campaign_id, members, actor_id=None, effective_at=long_ago)
    for n, idea in enumerate(ideas):
        async with database.session(statement_timeout_ms=0) as session:
            outcomes = await coins.move_coins(
                session,
                [Move(world.campaign_id, member, None, idea, 1) for member in members],
                effective_at=None if n >= IDEAS - RECENT_IDEAS else long_ago + timedelta(hours=n),
                is_import=True,
            )
        assert all(outcome.succeeded for outcome in outcomes)
    await aggregate_now(database)
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        await connection.execute("ANALYZE app.coin_accounts, app.coin_transfers, app.coin_postings, app.coin_totals")
        await connection.execute("ANALYZE app.coin_targets, app.ideas")
    return Crowd(application, world.campaign_id, members, ideas)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


@dataclass(frozen=True)
class Cost:
    """Scans and rows of the ledger's tables by the statements of one reading."""

    scans: list[str]
    indexes: set[str]
    rows: int


async def cost_of(crowd: Crowd, read: Callable[[AsyncSession], Awaitable[object]]) -> Cost:
    """Run `read`, then each of its statements with EXPLAIN, as ideamint_app and with its settings."""
    database = parts(crowd.application).database
    ran: list[tuple[str, Any]] = []

    def note(_1: Any, _2: Any, statement: str, parameters: Any, *_: Any) -> None:
        if asyncio.current_task() is reading:
            ran.append((statement, parameters))

    reading = asyncio.current_task()
    event.listen(database.engine.sync_engine, "before_cursor_execute", note)
    try:
        with noted_statements(lambda statement, values: ran.append((statement, values))):
            async with database.session() as session:
                await read(session)
    finally:
        event.remove(database.engine.sync_engine, "before_cursor_execute", note)

    scans, indexes, rows = [], set(), 0
    async with database.session() as session:
        connection = await session.connection()
        assert (await connection.exec_driver_sql("SELECT current_user")).scalar() == "ideamint_app"
        for statement, parameters in ran:
            if statement.startswith("SET TRANSACTION"):
                continue
            if statement.startswith("SET"):
                await connection.exec_driver_sql(statement)
                continue
            explained = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
            for node in _nodes(explained.scalar_one()[0]["Plan"]):
                if "Index Name" in node:
                    indexes.add(node["Index Name"])
                if node.get("Relation Name") in LEDGER:
                    read_rows = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
                    scans.append(f"{node['Node Type']} on {node['Relation Name']}: {read_rows:.0f} rows")
                    rows += round(read_rows)
    assert scans, "no table of the ledger was read"
    return Cost(scans, indexes, rows)


def assert_no_table_is_read_through(cost: Cost) -> None:
    assert not [scan for scan in cost.scans if scan.startswith(("Seq Scan", "Parallel Seq Scan"))]


@pytest.mark.parametrize("sort", ["newest", "coins", "random"])
async def test_a_list_of_ideas_with_totals_reads_only_my_stakes(crowd: Crowd, sort: Sort) -> None:
    cost = await cost_of(
        crowd,
        lambda session: list_ideas(session, crowd.campaign_id, user_id=crowd.members[0], sort=sort, seed="1", limit=50),
    )
    assert_no_table_is_read_through(cost)
    # from the member to the ideas, or from the ideas to the member: both read one row per idea
    assert cost.indexes & {"ix_coin_accounts_user_id", "uq_coin_accounts_stake"}
    assert cost.rows <= 2 * IDEAS, cost.scans


async def test_my_balance_reads_only_my_accounts(crowd: Crowd) -> None:
    cost = await cost_of(crowd, lambda session: coins.get_balance(session, crowd.campaign_id, crowd.members[0]))
    assert_no_table_is_read_through(cost)
    assert cost.indexes >= {"ix_coin_accounts_user_id", "uq_coin_postings_account_version"}
    # accounts, the last posting of each with its transfer, and as many of the wallet, where returns may be the last
    assert cost.rows <= 5 * (IDEAS + 1), cost.scans


async def test_a_page_of_an_ideas_backers_reads_only_that_page(crowd: Crowd) -> None:
    for after in (None, (sorted(crowd.members)[MEMBERS // 2],)):
        cost = await cost_of(crowd, partial(coins.list_backers, idea_id=crowd.ideas[0], limit=50, after=after))
        assert_no_table_is_read_through(cost)
        assert "uq_coin_accounts_stake" in cost.indexes
        assert cost.rows == 50, cost.scans


async def test_my_statement_reads_only_my_postings(crowd: Crowd) -> None:
    cost = await cost_of(
        crowd, lambda session: list_statement(session, crowd.campaign_id, crowd.members[0], limit=50, after=None)
    )
    assert_no_table_is_read_through(cost)
    assert cost.rows <= 5 * (IDEAS + 1), cost.scans


async def test_my_coins_in_all_campaigns_read_only_my_last_postings(crowd: Crowd) -> None:
    cost = await cost_of(crowd, lambda session: coins.list_my_campaigns(session, crowd.members[0]))
    assert_no_table_is_read_through(cost)
    assert cost.rows <= 5 * (IDEAS + 1), cost.scans


async def test_the_cost_of_statistics_depends_on_members_not_on_stakes_or_movements(crowd: Crowd) -> None:
    cost = await cost_of(crowd, lambda session: get_statistics(session, crowd.campaign_id))
    assert_no_table_is_read_through(cost)
    assert cost.indexes >= {
        "uq_coin_accounts_wallet", "ix_coin_accounts_user_id", "ix_coin_postings_account_id", "ix_coin_transfers_xid",
        "pk_coin_flows_daily",
    }  # fmt: skip
    # each member: a wallet, a look-up for a stake, a grant
    assert cost.rows <= 5 * MEMBERS, cost.scans


async def test_statistics_of_many_stakes(crowd: Crowd) -> None:
    async with parts(crowd.application).database.session() as session:
        found = await get_statistics(session, crowd.campaign_id)
    assert (found.staked_coins, found.moved_coins, found.active_members) == (STAKES, RECENT, MEMBERS)
    assert (found.gini, [idea.coins for idea in found.top_ideas]) == (0, [MEMBERS] * 10)
