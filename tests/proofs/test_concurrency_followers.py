"""Readers that follow the transfers: with the watermark they miss none, with the id alone they miss some."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg

from api.coins.commands.moves import SQL, as_arguments
from tests.factories.ledgers import attempts, conservation, current_xid, make_ledger

if TYPE_CHECKING:
    from collections.abc import Callable

    from api.kernel.db import Database
    from settings import Settings
    from tests.factories.ledgers import Ledger

WRITERS = 16
PAGE = 500

BY_WATERMARK = """
    SELECT xid::text::bigint, id FROM app.coin_transfers
    WHERE (xid, id) > (%(xid)s::text::xid8, %(id)s) AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, id LIMIT %(page)s
"""
BY_ID = "SELECT 0, id FROM app.coin_transfers WHERE id > %(id)s ORDER BY id LIMIT %(page)s"


@dataclass
class Follower:
    """A consumer's cursor, and how often it received each transfer."""

    statement: str
    xid: int
    id: UUID
    seen: Counter[UUID] = field(default_factory=Counter)

    async def read(self, connection: psycopg.AsyncConnection) -> int:
        """Read the next page."""
        cursor = await connection.execute(self.statement.encode(), {"xid": self.xid, "id": self.id, "page": PAGE})
        rows = await cursor.fetchall()
        self.seen.update(id_ for _, id_ in rows)
        if rows:
            self.xid, self.id = rows[-1]
        return len(rows)


async def write(url: str, ledger: Ledger, member: int, is_over: asyncio.Event) -> None:
    """Write transactions of a few movements, which stay open for a short time before a commit or, sometimes, a rollback."""
    random = Random(member)
    async with await psycopg.AsyncConnection.connect(url) as connection:
        while not is_over.is_set():
            for _ in range(random.randint(1, 3)):
                await connection.execute(SQL, as_arguments([ledger.move(1, member=member, target=1)]))
                await asyncio.sleep(random.choice((0, 0, 0.002, 0.02)))
            await (connection.rollback() if random.random() < 0.1 else connection.commit())


async def test_a_follower_by_watermark_misses_nothing(
    database: Settings, db: Database, *, full: bool, figure: Callable[[str], None]
) -> None:
    url = database.database.role_url("app")
    async with db.session() as session:
        ledger = await make_ledger(session, members=WRITERS, coins_per_member=1_000_000, own_ideas=True)
    began = await current_xid(db)
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        cursor = await connection.execute("SELECT id FROM app.coin_transfers ORDER BY id DESC LIMIT 1")
        (last,) = await cursor.fetchone() or (UUID(int=0),)
        by_watermark, by_id = Follower(BY_WATERMARK, began, UUID(int=0)), Follower(BY_ID, began, last)
        is_over = asyncio.Event()
        writers = [asyncio.create_task(write(url, ledger, member, is_over)) for member in range(WRITERS)]
        for _ in range(2000 if full else 150):
            await by_watermark.read(connection)
            await by_id.read(connection)
            await asyncio.sleep(0.005)
        is_over.set()
        await asyncio.gather(*writers)

        cursor = await connection.execute(
            "SELECT id, xid::text::bigint FROM app.coin_transfers WHERE campaign_id = %s AND kind = 'allocate'",
            (ledger.campaign_id,),
        )
        written: dict[UUID, int] = dict(await cursor.fetchall())
        while await by_id.read(connection):
            pass
        async for _ in attempts(db, max(written.values())):
            while await by_watermark.read(connection):
                pass
            if by_watermark.seen.keys() >= written.keys():
                break
    assert written
    assert Counter({id_: by_watermark.seen[id_] for id_ in written}) == Counter(written.keys())
    missed = len(written.keys() - by_id.seen.keys())
    found = await conservation(db, ledger)
    assert found.staked_coins == len(written)
    figure(
        f"{WRITERS} writers, {len(written)} transfers: a follower by watermark saw each exactly once, "
        f"a follower by id alone missed {missed}"
    )
