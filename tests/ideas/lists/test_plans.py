"""The cost of pages in a campaign with 20,000 ideas: the plans of PostgreSQL, and the rows that they read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from httpx2 import ASGITransport, AsyncClient

from api.ideas.lists.counts import LONG_LIST_MIN, Counts
from api.ideas.lists.grammar import SORTS
from api.ideas.lists.orders import ORDERS, Sort
from tests.factories.campaigns import make_world
from tests.factories.containers import noted_statements, parts
from tests.factories.idea_lists import find_ideas

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from fastapi import FastAPI

IDEAS = 20_000
PAGE = 50
# 1 idea in 100 is accepted, has a rare tag, an owner, an answer and a follower
_SEED = (
    """
    INSERT INTO app.ideas (campaign_id, author_id, title, status, submitted_at, updated_at)
    SELECT %(campaign)s, CASE WHEN n %% 200 = 0 THEN %(author)s::uuid END, 'Idea ' || md5(n::text),
        CASE WHEN n %% 100 = 0 THEN 'accepted' ELSE 'competing' END,
        '2026-01-01'::timestamptz + n * interval '1 minute', '2026-01-01'::timestamptz + n * interval '1 minute'
    FROM generate_series(1, %(ideas)s) AS n
    """,
    """
    INSERT INTO app.coin_targets (idea_id, campaign_id, author_id)
    SELECT i.id, i.campaign_id, i.author_id FROM app.ideas AS i WHERE i.campaign_id = %(campaign)s
    """,
    """
    INSERT INTO app.coin_totals (idea_id, campaign_id, coins, backers)
    SELECT i.id, i.campaign_id, 0, 0 FROM app.ideas AS i WHERE i.campaign_id = %(campaign)s
    """,
    """
    UPDATE app.coin_totals SET coins = abs(hashtext(idea_id::text)) %% 1000, backers = 1 WHERE campaign_id = %(campaign)s
    """,
    """
    INSERT INTO app.idea_tags (idea_id, kind, name)
    SELECT i.id, 'tag', CASE i.status WHEN 'accepted' THEN 'rare' ELSE 'common' END
    FROM app.ideas AS i WHERE i.campaign_id = %(campaign)s
    """,
    """
    INSERT INTO app.comments (id, campaign_id, idea_id, kind, root_id, depth, author_id, text, official_at, official_by)
    SELECT i.id, i.campaign_id, i.id, 'comment', i.id, 1, %(author)s, 'Yes.', now(), %(author)s
    FROM app.ideas AS i WHERE i.campaign_id = %(campaign)s AND i.status = 'accepted'
    """,
    """
    INSERT INTO app.idea_owners (idea_id, user_id)
    SELECT i.id, %(author)s FROM app.ideas AS i WHERE i.campaign_id = %(campaign)s AND i.status = 'accepted'
    """,
    """
    INSERT INTO app.idea_followers (idea_id, user_id)
    SELECT i.id, %(author)s FROM app.ideas AS i WHERE i.campaign_id = %(campaign)s AND i.status = 'accepted'
    """,
    """
    INSERT INTO app.idea_milestones (campaign_id, idea_id, position, title, due_on)
    SELECT i.campaign_id, i.id, 1, 'Order', '2026-03-01'::date + abs(hashtext(i.id::text)) %% 100
    FROM app.ideas AS i WHERE i.campaign_id = %(campaign)s AND i.status = 'accepted'
    """,
)
_TABLES = (
    "ideas, idea_figures, coin_targets, coin_totals, idea_tags, comments, idea_owners, idea_followers, idea_milestones, "
    "idea_coin_days"
)


@dataclass(frozen=True)
class Large:
    """A large campaign; `author_id` has submitted and follows some of the ideas."""

    application: FastAPI
    campaign_id: UUID
    author_id: UUID


@pytest_asyncio.fixture(scope="module")
async def large(application: FastAPI, admin_url: str) -> Large:
    async with AsyncClient(transport=ASGITransport(app=application), base_url="http://testserver") as client:
        world = await make_world(application, client, members=1)
        other = await make_world(application, client, members=1)  # this campaign is a part of the tables
    async with await psycopg.AsyncConnection.connect(admin_url, autocommit=True) as connection:
        for each in (world, other):
            values = {"campaign": each.campaign_id, "author": each.members[0].id, "ideas": IDEAS}
            for statement in _SEED:
                await connection.execute(statement, values)
        await connection.execute(
            f"VACUUM ANALYZE {', '.join(f'app.{name.strip()}' for name in _TABLES.split(','))}".encode()
        )
    return Large(application, world.campaign_id, world.members[0].id)


class Known(Counts):
    """The number of ideas is known."""

    def __init__(self, total: int) -> None:
        super().__init__()
        self._total = total

    def find(self, key: Hashable) -> int | None:
        return self.last(key)

    def last(self, key: Hashable) -> int:
        return self._total


@dataclass(frozen=True)
class Cost:
    """Scans of tables, the indexes that were used, and the rows read from ideas and their figures."""

    scans: list[str]
    indexes: set[str]
    rows: float


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


async def cost_of(
    large: Large, query: str, *, sort: Sort = "newest", role: str = "manager", after: tuple[Any, ...] | None = None,
    known_total: int | None = IDEAS,
) -> tuple[Cost, tuple[Any, ...] | None]:  # fmt: skip
    """The cost of a page, and the key of its last idea; its number of ideas is counted only without `known_total`."""
    counts = Counts()
    if known_total is not None:
        assert known_total >= LONG_LIST_MIN
        counts = Known(known_total)
    ran: list[tuple[str, dict[str, Any]]] = []
    async with parts(large.application).database.session() as session:
        with noted_statements(lambda statement, values: ran.append((statement, values))):
            found = await find_ideas(
                session, large.campaign_id, query, user_id=large.author_id, role=role, sort=sort, limit=PAGE, after=after,
                counts=counts,
            )  # fmt: skip
        connection = await session.connection()
        scans, indexes, rows = [], set(), 0.0
        for statement, values in ran:
            if "page AS MATERIALIZED" not in statement:
                continue
            explained = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
            for node in _nodes(explained.scalar_one()[0]["Plan"]):
                if "Index Name" in node:
                    indexes.add(node["Index Name"])
                if "Relation Name" in node:
                    scans.append(f"{node['Node Type']} on {node['Relation Name']}")
                if node.get("Relation Name") in {"ideas", "idea_figures"}:
                    removed = node.get("Rows Removed by Filter", 0)
                    rows += (node.get("Actual Rows", 0) + removed) * node.get("Actual Loops", 0)
    assert found.items
    after_last = (ORDERS[sort].read(found.last[0]), found.last[1]) if found.last else None
    return Cost(scans, indexes, rows), after_last


def assert_is_read_by_index(cost: Cost) -> None:
    sequential = [scan for scan in cost.scans if scan.startswith(("Seq Scan", "Parallel Seq Scan"))]
    assert not [scan for scan in sequential if scan.endswith((" ideas", " idea_figures"))], cost.scans


@pytest.mark.parametrize("role", ["manager", "member"])
@pytest.mark.parametrize("sort", SORTS)
async def test_a_page_of_each_order_reads_its_index_and_about_a_page(large: Large, sort: Sort, role: str) -> None:
    after = None
    for _ in range(2):
        cost, after = await cost_of(large, "", sort=sort, role=role, after=after)
        assert_is_read_by_index(cost)
        assert ORDERS[sort].index in cost.indexes
        # the ideas of the page and their figures, found and read; blocks of a random order have more than a page
        assert cost.rows <= 12 * PAGE, cost


@pytest.mark.parametrize(
    ("query", "index", "rows"),
    [
        ("status:accepted", "ix_ideas_campaign_id_status", 12 * IDEAS // 100),
        (
            "tag:rare",
            "ix_idea_tags_name_lower",
            IDEAS + 6 * PAGE,
        ),  # the ideas of the campaign once, or those with the tag
        ("tag:common", "ix_ideas_newest", 12 * PAGE),
        ("-tag:rare", "ix_ideas_newest", 12 * PAGE),
        ("coins:>=995 sort:coins", "ix_idea_figures_coins", 12 * PAGE),
        ("is:mine", "ix_ideas_author_id", 12 * IDEAS // 100),
        ("is:followed", "pk_ideas", 12 * IDEAS // 100),
        ("has:answer", "pk_ideas", IDEAS + 6 * PAGE),  # the same
        ("created:2026-01-03..2026-01-04", "ix_ideas_newest", 12 * PAGE),
        ("due:2026-03-01..2026-04-01 sort:deadline", "ix_idea_figures_next_due_on", 12 * PAGE),
        ("is:overdue sort:deadline", "ix_idea_figures_next_due_on", 20 * PAGE),
    ],
    ids=str,
)
async def test_a_filter_reads_its_index(large: Large, query: str, index: str, rows: int) -> None:
    from api.ideas.lists.grammar import parse

    cost, _ = await cost_of(large, query, sort=parse(query).sort or "newest")
    assert_is_read_by_index(cost)
    assert index in cost.indexes, cost
    assert cost.rows <= rows, cost
