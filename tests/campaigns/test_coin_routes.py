"""Routes for managers and executives that read a campaign's coins."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import psycopg
import pytest

from tests.factories.campaigns import World, make_world, submit_many
from tests.factories.containers import parts
from tests.factories.ledgers import aggregate_now, seal_now
from tests.factories.users import commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient


COINS = "/campaigns/{id}/coins"


async def statistics(world: World) -> dict[str, Any]:
    response = await world.call(world.manager, "GET", f"{COINS}/statistics")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def assert_conserved(found: dict[str, Any]) -> None:
    inside = [found[f"{name}_coins"] for name in ("wallet", "held", "staked", "expired", "carried_out")]
    assert found["granted_coins"] + found["carried_in_coins"] == sum(inside)


class TestStatistics:
    async def test_count_the_coins_by_kind(self, application: FastAPI, client: AsyncClient) -> None:
        """Four members and the manager with 100 coins each; three ideas: one accepted, one rejected, one open."""
        world = await make_world(application, client, members=4)
        accepted, rejected, competing = await submit_many(world, 3)
        for member, idea, coins in ((1, accepted, 40), (2, accepted, 20), (2, rejected, 30), (1, competing, 10)):
            assert (await world.allocate(world.members[member], idea, coins)).status_code == 201
        await world.reallocate(world.members[1], competing, rejected, 4)
        await world.reallocate(world.members[1], competing, None, 1)
        assert (await world.step(world.manager, accepted, "accepted")).status_code == 200
        assert (await world.step(world.manager, rejected, "rejected", "Not now")).status_code == 200
        found = await statistics(world)
        assert {name: found[f"{name}_coins"] for name in ("granted", "wallet", "staked", "expired", "returned", "moved")} == {
            "granted": 500, "wallet": 435, "staked": 5, "expired": 60, "returned": 34, "moved": 105,
        }  # fmt: skip
        assert (found["members_with_wallet"], found["active_members"]) == (5, 2)
        assert found["velocity"] == pytest.approx(105 / 500)
        assert [(idea["idea_id"], idea["coins"], idea["backers"]) for idea in found["top_ideas"]] == [
            (str(accepted), 60, 2), (str(rejected), 34, 2), (str(competing), 5, 1),
        ]  # fmt: skip
        # sorted 5, 34, 60: (-2 * 5 + 0 * 34 + 2 * 60) / (3 * 99)
        assert found["gini"] == pytest.approx(110 / 297)
        assert_conserved(found)
        verified = (await world.call(world.manager, "GET", f"{COINS}/verify")).json()
        for name in ("wallet", "held", "staked", "expired", "carried_in", "carried_out"):
            assert verified[f"{name}_coins"] == found[f"{name}_coins"]

    async def test_are_the_same_before_and_after_an_aggregation(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        one, two = await submit_many(world, 2)
        await world.allocate(world.members[1], one, 30)
        await world.reallocate(world.members[1], one, two, 30)
        await world.allocate(world.members[2], two, 1)
        before = await statistics(world)
        await aggregate_now(parts(application).database)
        after = await statistics(world)
        assert before | {"at": None} == after | {"at": None}
        assert [(idea["coins"], idea["backers"]) for idea in before["top_ideas"]] == [(31, 2), (0, 0)]

    async def test_follow_the_undo_of_an_acceptance(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        await world.allocate(world.members[1], idea, 30)
        open_ = await statistics(world)
        await world.step(world.manager, idea, "accepted")
        expired = await statistics(world)
        assert (expired["expired_coins"], expired["staked_coins"]) == (30, 0)
        undone = await world.step(world.manager, idea, "competing", "By mistake")
        assert undone.status_code == 200, undone.text
        assert (await statistics(world)) | {"at": None} == open_ | {"at": None}

    async def test_of_a_campaign_without_movement(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        found = await statistics(world)
        assert (found["gini"], found["velocity"], found["top_ideas"], found["active_members"]) == (None, 0, [], 0)

    async def test_are_those_of_one_moment_while_coins_move(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=6)
        ideas = await submit_many(world, 3)

        async def spend(member: int) -> None:
            for n in range(12):
                assert (await world.allocate(world.members[member], ideas[n % 3], 1)).status_code == 201

        spending = asyncio.gather(*(spend(member) for member in range(1, 6)))
        seen = []
        while not spending.done():
            seen.append(await statistics(world))
        await spending
        assert len({found["staked_coins"] for found in seen}) > 1, "all figures were read before or after the movements"
        for found in seen:
            assert_conserved(found)
            # nothing expires here, so a figure of another moment would appear as expired coins
            assert (found["expired_coins"], found["staked_coins"]) == (0, found["moved_coins"])
            assert sum(idea["coins"] for idea in found["top_ideas"]) == found["staked_coins"]


class TestWhoMayRead:
    @pytest.mark.parametrize("path", ["statistics", "verify"])
    async def test_figures_are_for_managers_and_executives(
        self, application: FastAPI, client: AsyncClient, path: str
    ) -> None:
        world = await make_world(application, client)
        executive = await commit_user(application, roles=["executive"])
        admin = await commit_user(application, roles=["system_admin"])
        stranger = await commit_user(application)
        for user, status in (
            (world.manager, 200), (executive, 200), (admin, 200), (world.members[0], 403), (stranger, 403),
        ):  # fmt: skip
            assert (await world.call(user, "GET", f"{COINS}/{path}")).status_code == status

    async def test_the_audit_is_for_managers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        executive = await commit_user(application, roles=["executive"])
        for user, status in ((world.manager, 200), (executive, 403), (world.members[0], 403)):
            assert (await world.call(user, "GET", f"{COINS}/audit")).status_code == status


async def test_verify_returns_every_figure(application: FastAPI, client: AsyncClient) -> None:
    world = await make_world(application, client)
    idea = await world.submit(world.members[0])
    await world.allocate(world.members[1], idea, 30)
    found = (await world.call(world.manager, "GET", f"{COINS}/verify")).json()
    assert found.pop("chain")["holds"] is True
    assert found == {
        "campaign_id": str(world.campaign_id), "holds": True, "issued_coins": 400, "carried_in_coins": 0,
        "wallet_coins": 370, "held_coins": 0, "staked_coins": 30, "expired_coins": 0, "carried_out_coins": 0,
        "difference_coins": 0, "wrong_balances": 0, "unbalanced_transfers": 0, "wrong_totals": 0,
    }  # fmt: skip


class TestChain:
    async def test_shows_the_head_of_a_public_campaign_to_anyone(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        """Without a log-in, and only the head."""
        world = await make_world(application, client)
        await seal_now(parts(application).database)
        (idea,) = await submit_many(world, 1)
        assert (await world.allocate(world.members[1], idea, 30)).status_code == 201
        await seal_now(parts(application).database)
        path = f"/api/v1/campaigns/{world.campaign_id}/coins/chain"
        head = (await client.get(path)).json()
        assert head.keys() == {"campaign_id", "height", "hash", "sealed_transfers", "sealed_at"}
        assert (head["campaign_id"], head["sealed_transfers"]) == (str(world.campaign_id), 5)
        assert head["height"] >= 2
        assert len(head["hash"]) == 64
        assert (await client.get(path, params={"height": head["height"]})).json() == head
        first = (await client.get(path, params={"height": 1})).json()
        assert (first["height"], first["sealed_transfers"] < 5, first["hash"] != head["hash"]) == (1, True, True)
        none = (await client.get(path, params={"height": 0})).json()
        assert (none["height"], none["hash"], none["sealed_transfers"], none["sealed_at"]) == (0, "0" * 64, 0, None)

    async def test_shows_the_head_of_a_hidden_campaign_to_those_who_may_see_it(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, visibility="members")
        hidden = await client.get(f"/api/v1/campaigns/{world.campaign_id}/coins/chain")
        unknown = await client.get(f"/api/v1/campaigns/{uuid4()}/coins/chain")
        assert (hidden.status_code, hidden.json()["type"]) == (404, unknown.json()["type"])
        executive = await commit_user(application, roles=["executive"])
        outsider = await commit_user(application)
        for user, status in ((world.members[0], 200), (executive, 200), (outsider, 404)):
            assert (await world.call(user, "GET", f"{COINS}/chain")).status_code == status

    async def test_an_unknown_chain_or_block_is_a_problem(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await seal_now(parts(application).database)
        path = "/api/v1/campaigns/{}/coins/chain"
        unknown = await client.get(path.format(uuid4()))
        assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:ideamint:problem:campaign-not-found")
        higher = await client.get(path.format(world.campaign_id), params={"height": 10**6})
        assert (higher.status_code, higher.json()["type"]) == (404, "urn:ideamint:problem:unknown-block")
        assert higher.json()["height"] >= 1
        for height in ("-1", "x", str(10**18)):
            assert (await client.get(path.format(world.campaign_id), params={"height": height})).status_code == 422


class TestVerify:
    async def test_checks_the_chain_too(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await seal_now(parts(application).database)
        found = (await world.call(world.manager, "GET", f"{COINS}/verify")).json()
        assert found["holds"] is True
        chain = found["chain"]
        assert (chain["holds"], chain["has_kept_head"], chain["sealed_transfers"], chain["findings"]) == (
            True,
            None,
            4,
            [],
        )
        head = (await client.get(f"/api/v1/campaigns/{world.campaign_id}/coins/chain")).json()
        assert (chain["height"], chain["hash"]) == (head["height"], head["hash"])

    async def test_searches_for_a_kept_head(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        await seal_now(parts(application).database)
        head = (await client.get(f"/api/v1/campaigns/{world.campaign_id}/coins/chain")).json()
        for kept, holds in ((f"{head['height']}:{head['hash'].upper()}", True), (f"1:{'ab' * 32}", False)):
            found = (await world.call(world.manager, "GET", f"{COINS}/verify", params={"head": kept})).json()
            assert (found["holds"], found["chain"]["holds"], found["chain"]["has_kept_head"]) == (holds, holds, holds)

    @pytest.mark.parametrize(
        "head", ["", "1", f"1:{'g' * 64}", f"-1:{'0' * 64}", f"1:{'0' * 63}", f"{'9' * 19}:{'0' * 64}"]
    )
    async def test_refuses_an_invalid_head(self, application: FastAPI, client: AsyncClient, head: str) -> None:
        world = await make_world(application, client, members=0)
        refused = await world.call(world.manager, "GET", f"{COINS}/verify", params={"head": head})
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:ideamint:problem:invalid-head")
        assert "HEIGHT:HASH" in refused.json()["detail"]

    async def test_reports_tampering(self, application: FastAPI, client: AsyncClient, admin_url: str) -> None:
        world = await make_world(application, client)
        await seal_now(parts(application).database)

        async def add(microseconds: int) -> str:
            async with await psycopg.AsyncConnection.connect(admin_url) as connection:
                await connection.execute("SET session_replication_role = replica")
                row = await (
                    await connection.execute(
                        "UPDATE app.coin_transfers SET recorded_at = recorded_at + %s * interval '1 us' WHERE id = "
                        "(SELECT min(id::text)::uuid FROM app.coin_transfers WHERE campaign_id = %s) RETURNING id",
                        (microseconds, world.campaign_id),
                    )
                ).fetchone()
            assert row is not None
            return str(row[0])

        altered = await add(1)
        found = (await world.call(world.manager, "GET", f"{COINS}/verify")).json()
        await add(-1)
        assert (found["holds"], found["difference_coins"], found["chain"]["altered_transfers"]) == (False, 0, 1)
        (finding,) = found["chain"]["findings"]
        assert (finding["problem"], finding["transfer_id"], finding["position"] >= 1) == (
            "altered_transfer",
            altered,
            True,
        )
        assert (await world.call(world.manager, "GET", f"{COINS}/verify")).json()["holds"] is True

    async def test_is_for_managers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        assert (await world.call(world.members[0], "GET", f"{COINS}/verify")).status_code == 403
