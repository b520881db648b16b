"""Locks of the figures of ideas beside those of the ledger."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import psycopg

from tests.coins.test_bulk import until_a_connection_waits_for_a_lock
from tests.factories.campaigns import make_world
from tests.factories.ledgers import aggregate_now

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient

    from api.kernel.db import Database
    from settings import Settings

LOCK = "SELECT app.coins_lock_stakes(%s, %s, 5000)"
CLOSE = "SELECT * FROM app.coins_close_targets(%s, %s, 'return', NULL, NULL, NULL, 5000, NULL)"


async def test_a_bulk_change_a_rejection_and_the_aggregation_do_not_block_each_other(
    application: FastAPI, client: AsyncClient, database: Settings, db: Database
) -> None:
    world = await make_world(application, client)
    author, backer = world.members[:2]
    first, second, third = sorted([await world.submit(author, f"Idea number {n}") for n in range(3)])
    for coins in (10, 5):
        for idea in (first, third):
            assert (await world.allocate(backer, idea, coins)).status_code == 201
        if coins == 10:
            await aggregate_now(db)
    url = database.database.role_url("app")
    async with (
        await psycopg.AsyncConnection.connect(url) as bulk,
        await psycopg.AsyncConnection.connect(url) as single,
        await psycopg.AsyncConnection.connect(url) as aggregation,
    ):

        async def run(connection: psycopg.AsyncConnection, sql: str, *arguments: Any) -> None:
            await connection.execute(sql, arguments)
            await connection.commit()

        await bulk.execute(LOCK, (world.campaign_id, [first, second]))
        rejecting = asyncio.create_task(run(single, CLOSE, world.campaign_id, [third]))
        await until_a_connection_waits_for_a_lock(application)
        aggregating = asyncio.create_task(run(aggregation, "SELECT app.coins_aggregate_totals()"))
        await until_a_connection_waits_for_a_lock(application, connections=2)
        await run(bulk, CLOSE, world.campaign_id, [first])
        await asyncio.gather(rejecting, aggregating)
