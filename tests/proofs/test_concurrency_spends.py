"""Many concurrent requests for one wallet and one key, through two applications on one database."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlalchemy import text

from api.coins import service as coins
from tests.factories.campaigns import World, further_application, make_world, submit_many
from tests.factories.containers import parts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from uuid import UUID

    from httpx2 import Response

    from settings import Settings

PROBLEM = "urn:ideamint:problem:"


@asynccontextmanager
async def two_applications(database: Settings, coins_per_member: int) -> AsyncIterator[tuple[World, World]]:
    """A campaign with three wallets, called through two applications: two pools, two batchers."""
    async with further_application(database) as (app, one), further_application(database) as (_, other):
        world = await make_world(app, one, members=2, policy={"coins_per_member": coins_per_member})
        yield world, replace(world, client=other)


async def allocate_with_retries(world: World, idea: UUID, wanted_coins: int, key: str) -> tuple[Response, int]:
    """Allocate and retry with the same key while the ledger is busy; also returns the number of retries."""
    for busy in range(100):
        response = await world.allocate(world.members[1], idea, wanted_coins, key)
        if response.status_code != 503:
            return response, busy
        assert response.json()["type"] == f"{PROBLEM}ledger-busy"
        assert int(response.headers["retry-after"]) > 0
        await asyncio.sleep(0.01)
    msg = f"the ledger was busy for {key} a hundred times"
    raise AssertionError(msg)


async def written(world: World) -> tuple[int, ...]:
    """The campaign's row counts of each table that a movement writes."""
    statement = text(
        """
        SELECT (SELECT count(*) FROM app.coin_transfers WHERE campaign_id = :id),
            (SELECT count(*) FROM app.coin_postings AS p JOIN app.coin_accounts AS a ON a.id = p.account_id
                WHERE a.campaign_id = :id),
            (SELECT count(*) FROM app.coin_keys WHERE campaign_id = :id),
            (SELECT count(*) FROM app.events WHERE campaign_id = :id),
            (SELECT sum(version) FROM app.coin_accounts WHERE campaign_id = :id)
        """
    )
    async with parts(world.app).database.session() as session:
        row = (await session.execute(statement, {"id": world.campaign_id})).one()
    return tuple(int(value) for value in row)


async def conserved(world: World) -> coins.Conservation:
    async with parts(world.app).database.session() as session:
        (found,) = await coins.verify(session, world.campaign_id)
    assert found.holds, found
    return found


async def test_a_wallet_of_ten_coins_allows_ten_allocations(
    database: Settings, *, full: bool, figure: Callable[[str], None]
) -> None:
    spends = 1000 if full else 200
    async with two_applications(database, coins_per_member=10) as worlds:
        (idea,) = await submit_many(worlds[0], 1)
        results = await asyncio.gather(
            *(allocate_with_retries(worlds[n % 2], idea, 1, f"spend-{n}") for n in range(spends))
        )
        refusals = [response.json() for response, _ in results if response.status_code == 409]
        assert Counter(response.status_code for response, _ in results) == {201: 10, 409: spends - 10}
        assert {refusal["type"] for refusal in refusals} == {f"{PROBLEM}insufficient-coins"}
        assert {(refusal["has_coins"], refusal["wants_coins"]) for refusal in refusals} == {(0, 1)}
        left = [response.json()["debit"]["balance_coins"] for response, _ in results if response.status_code == 201]
        assert sorted(left) == list(range(10))
        balance = await worlds[0].balance(worlds[0].members[1])
        assert (balance["wallet_coins"], balance["staked_coins"]) == (0, 10)
        found = await conserved(worlds[0])
        assert (found.issued_coins, found.wallet_coins, found.staked_coins) == (30, 20, 10)
    busy = sum(times for _, times in results)
    figure(
        f"{spends} parallel spends of a wallet of 10 over two applications: 10 moved, {len(refusals)} refused, {busy} busy"
    )


async def test_a_key_counts_once(database: Settings, *, full: bool, figure: Callable[[str], None]) -> None:
    requests = 500 if full else 100
    async with two_applications(database, coins_per_member=100) as worlds:
        (idea,) = await submit_many(worlds[0], 1)
        results = await asyncio.gather(
            *(allocate_with_retries(worlds[n % 2], idea, 5, "once") for n in range(requests))
        )
        responses = [response for response, _ in results]
        assert {response.status_code for response in responses} == {201}
        assert len({response.content for response in responses}) == 1
        replayed = Counter(response.headers.get("idempotency-replayed") for response in responses)
        assert replayed == {None: 1, "true": requests - 1}
        found = await conserved(worlds[0])
        assert (found.staked_coins, found.wallet_coins) == (5, 295)

        before = await written(worlds[0])
        others = await asyncio.gather(*(allocate_with_retries(worlds[n % 2], idea, 6 + n, "once") for n in range(10)))
        assert {(response.status_code, response.json()["type"]) for response, _ in others} == {
            (422, f"{PROBLEM}idempotency-key-reused")
        }
        assert await written(worlds[0]) == before
    figure(
        f"the same key {requests} times over two applications: 1 transfer, {replayed['true']} replays, 1 body; "
        f"10 times with another body: 10 refused, 0 rows written"
    )
