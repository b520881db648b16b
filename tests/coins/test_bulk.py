"""Grants and corrections for many members in one call."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
from sqlalchemy import text

from api.campaigns import bulk
from api.campaigns import service as campaigns
from api.coins import service as coins
from api.coins.commands.batcher import Batcher
from api.coins.commands.corrections import Correction, correct_coins
from tests.factories.campaigns import World, make_world
from tests.factories.clocks import TRIES
from tests.factories.containers import parts
from tests.factories.ledgers import make_ledger
from tests.factories.users import commit_user, make_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient, Response

    from api.auth.models import User
    from settings import Settings

PATH = "/coins/bulk-allocate"
HEADER = "campaign_id,user_id,kind,coins,reason"
MANY = 10_000


def correction(world: World, member: int, amount: int | None, reason: str | None = "counted wrongly") -> dict[str, Any]:
    return {
        "campaign_id": str(world.campaign_id),
        "user_id": str(world.members[member].id),
        "kind": "correct",
        "coins": amount,
        "reason": reason,
    }


async def send(
    world: World,
    items: list[dict[str, Any]],
    mode: str = "atomic",
    *,
    user: User | None = None,
    key: str | None = None,
    **arguments: Any,
) -> Response:
    key = None if "params" in arguments else key or uuid4().hex
    return await world.call(
        user or world.manager, "POST", PATH, key=key, json={"mode": mode, "items": items}, **arguments
    )


async def conserved(world: World) -> coins.Conservation:
    async with parts(world.app).database.session() as session:
        (found,) = await coins.verify(session, world.campaign_id)
    assert found.holds
    return found


async def move_in(world: World, count: int) -> list[UUID]:
    """Members without wallets, as in a draft campaign; users and memberships in one statement each."""
    async with parts(world.app).database.session(statement_timeout_ms=0) as session:
        rows = await session.scalars(
            text(
                "INSERT INTO app.users (email, display_name) "
                "SELECT 'bulk-' || app.uuid7() || '@example.org', 'A member' FROM generate_series(1, :count) RETURNING id"
            ),
            {"count": count},
        )
        people = list(rows)
        await session.execute(
            text("INSERT INTO app.memberships (campaign_id, user_id) SELECT :id, unnest(CAST(:people AS uuid[]))"),
            {"id": world.campaign_id, "people": people},
        )
    return people


async def until_a_connection_waits_for_a_lock(application: FastAPI, *, connections: int = 1) -> None:
    """Wait, with a timeout, until so many connections to this database wait for a lock."""
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    for _ in range(TRIES):
        async with parts(application).database.session() as session:
            if await session.scalar(waiting) >= connections:
                return
        await asyncio.sleep(0.01)
    msg = f"no {connections} connections wait for a lock"
    raise AssertionError(msg)


class TestCorrections:
    async def test_add_to_a_wallet_and_take_from_it(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, policy={"stakes_visible_to": "managers"})
        issued = (await conserved(world)).issued_coins
        response = await send(world, [correction(world, 0, 25), correction(world, 1, -40)])
        result = response.json()
        assert (response.status_code, result["succeeded"], result["refused"]) == (200, 2, 0)
        assert [(item["index"], item["outcome"], item["wallet_coins"]) for item in result["items"]] == [
            (0, "corrected", 125),
            (1, "corrected", 60),
        ]
        assert (await conserved(world)).issued_coins == issued - 15
        balance = await world.balance(world.members[1])
        assert (balance["granted_coins"], balance["wallet_coins"], balance["expired_coins"]) == (60, 60, 0)
        (line, _) = (await world.call(world.members[1], "GET", "/campaigns/{id}/coins/history")).json()["items"]
        assert (line["kind"], line["reason"], line["transfer_id"]) == (
            "correct",
            "counted wrongly",
            result["items"][1]["transfer_id"],
        )

    async def test_of_one_wallet_are_processed_in_order(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, policy={"stakes_visible_to": "managers"})
        items = [correction(world, 0, amount) for amount in (-100, -1, 7, -7, 3)]
        result = (await send(world, items, "continue_on_failure")).json()
        assert [item["outcome"] for item in result["items"]] == [
            "corrected", "insufficient_coins", "corrected", "corrected", "corrected",
        ]  # fmt: skip
        assert (result["items"][1]["has_coins"], result["items"][1]["wants_coins"]) == (0, 1)
        assert (await world.balance(world.members[0]))["wallet_coins"] == 3
        await conserved(world)

    async def test_each_has_an_event_with_before_and_after(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        response = await send(
            world, [correction(world, 0, 25), correction(world, 1, 0), correction(world, 2, -1)], "continue_on_failure"
        )
        async with parts(application).database.session() as session:
            rows = await session.execute(
                text("SELECT * FROM app.events WHERE campaign_id = :id AND kind = 'coins_corrected' ORDER BY user_id"),
                {"id": world.campaign_id},
            )
            events = {event.user_id: event for event in rows}
        assert events.keys() == {world.members[0].id, world.members[2].id}
        event = events[world.members[0].id]
        assert (event.actor_id, event.request_id) == (world.manager.id, response.headers["x-request-id"])
        assert event.data == {
            "transfer_id": response.json()["items"][0]["transfer_id"],
            "coins": 25,
            "reason": "counted wrongly",
            "wallet_before_coins": 100,
            "wallet_after_coins": 125,
        }


class TestAddresses:
    async def test_a_member_is_found_by_address_in_any_case(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        address = world.members[0].email
        assert address is not None
        item = {**correction(world, 0, 5), "user_id": None, "email": f" {address.upper()}"}
        assert (await send(world, [item])).json()["items"][0]["outcome"] == "corrected"
        assert (await world.balance(world.members[0]))["wallet_coins"] == 105

    async def test_an_unknown_one_is_no_member_however_often_it_is_named(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client)
        unknown = {**correction(world, 0, 5), "user_id": None, "email": "nobody-here@example.org"}
        result = (await send(world, [unknown] * 101, "continue_on_failure")).json()
        assert {item["outcome"] for item in result["items"]} == {"not_a_member"}

    async def test_one_of_id_and_address_is_required(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        for change in ({"user_id": None}, {"email": "anna@example.org"}):
            refused = await send(world, [{**correction(world, 0, 5), **change}])
            assert (refused.status_code, refused.json()["type"]) == (422, "urn:ideamint:problem:validation")


class TestHiddenWallets:
    """The default policy shows stakes to their owners only, and with them what is left in the wallets."""

    async def _played(self, application: FastAPI, client: AsyncClient) -> World:
        world = await make_world(application, client)
        await world.allocate(world.members[0], await world.submit(world.members[1]), 30)
        return world

    async def test_no_outcome_shows_a_balance(self, application: FastAPI, client: AsyncClient) -> None:
        world = await self._played(application, client)
        refused = await send(world, [correction(world, 0, 5), correction(world, 0, -76)])
        assert refused.status_code == 409
        assert refused.json()["items"][1] == {
            "index": 1, "outcome": "insufficient_coins", "wants_coins": 76,
            "detail": "The wallet has fewer coins; the correction would take 76.",
        }  # fmt: skip
        grant = {"campaign_id": str(world.campaign_id), "user_id": str(world.members[0].id)}
        done = (await send(world, [correction(world, 0, 5), correction(world, 0, -75), grant])).json()
        assert [{*item} - {"transfer_id"} for item in done["items"]] == [{"index", "outcome"}] * 3

    @pytest.mark.parametrize("mode", ["atomic", "continue_on_failure"])
    async def test_a_dry_run_does_not_show_whether_coins_suffice(
        self, application: FastAPI, client: AsyncClient, mode: str
    ) -> None:
        world = await self._played(application, client)
        answers = [
            (await send(world, [correction(world, 0, amount)], mode, params={"dry_run": True})).json()
            for amount in (-70, -71)
        ]
        assert answers[0] == answers[1]
        assert (answers[0]["undisclosed"], answers[0]["items"][0]["outcome"]) == (1, "undisclosed")

    async def test_the_audit_shows_corrections_without_balances(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await self._played(application, client)
        await send(world, [correction(world, 0, 5)])
        (corrected,) = await world.audit(kind="coins_corrected")
        assert (corrected["user_id"], corrected["data"]["coins"]) == (str(world.members[0].id), 5)
        await world.call(world.members[0], "POST", "/campaigns/{id}/leave")
        (left,) = await world.audit(kind="member_left")
        assert left["after"] == {"is_frozen": True}
        assert 75 not in {*corrected["data"].values(), *corrected["after"].values(), *left["data"].values()}
        assert "wallet" not in str([corrected, left])


class TestRefusals:
    async def test_of_each_kind_are_in_the_order_of_the_items(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, members=4)
        other = await make_world(application, client)
        over = await make_world(application, client)
        await world.call(world.members[3], "POST", "/campaigns/{id}/leave")
        async with parts(application).database.session() as session:
            campaign = await campaigns.get_campaign(session, over.campaign_id)
            await campaigns.set_member_role(
                session, campaign, user_id=over.members[0].id, role="manager", actor_id=over.manager.id
            )
            await session.execute(
                text("UPDATE app.memberships SET user_id = :me WHERE campaign_id = :id AND user_id = :them"),
                {"me": world.manager.id, "id": over.campaign_id, "them": over.manager.id},
            )
            await campaigns.mark_completed(session, campaign, actor_id=over.members[0].id)
        nowhere = {**correction(world, 0, 1), "campaign_id": str(uuid4())}
        items = [
            correction(world, 0, 1, None), correction(world, 0, 1, "  "), correction(world, 0, None), correction(world, 0, 0),
            correction(world, 0, -101), correction(world, 3, 1), correction(other, 0, 1), nowhere, correction(over, 0, 1),
            {**correction(world, 1, 99), "kind": "grant"}, {**correction(world, 1, 100), "kind": "grant"},
            correction(world, 1, 1),
        ]  # fmt: skip
        result = (await send(world, items, "continue_on_failure")).json()
        assert [item["outcome"] for item in result["items"]] == [
            "reason_missing", "reason_missing", "coins_missing", "coins_missing", "insufficient_coins", "not_a_member",
            "not_a_manager", "not_a_manager", "ledger_closed", "coins_differ", "already_granted", "corrected",
        ]  # fmt: skip
        assert (result["succeeded"], result["unchanged"], result["refused"]) == (1, 1, 10)
        seen, unseen = result["items"][6], result["items"][7]
        assert {**seen, "index": 0} == {**unseen, "index": 0}
        for touched in (world, other, over):
            await conserved(touched)

    async def test_prevent_all_items_of_an_atomic_command(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        before = await conserved(world)
        items = [correction(world, 0, 5), correction(world, 1, -101), correction(world, 2, 5)]
        response = await send(world, items, key="k")
        problem = response.json()
        assert (response.status_code, problem["type"]) == (409, "urn:ideamint:problem:bulk-refused")
        assert [item["outcome"] for item in problem["items"]] == [
            "not_carried_out",
            "insufficient_coins",
            "not_carried_out",
        ]
        assert not any("transfer_id" in item for item in problem["items"])
        assert await conserved(world) == before
        # a refusal does not use the key
        assert (await send(world, items[:1], key="k")).status_code == 200

    async def test_apply_to_all_but_managers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        item = correction(world, 0, 5)
        assert (await send(world, [item], user=world.members[0])).json()["items"][0]["outcome"] == "not_a_manager"
        async with parts(application).database.session() as session:
            admin = await make_user(session, roles=["system_admin"])
        assert (await send(world, [item], user=admin)).json()["items"][0]["outcome"] == "corrected"
        assert (await client.post(f"/api/v1{PATH}", json={"items": [item]})).status_code == 401

    async def test_report_a_wallet_that_is_locked(
        self, application: FastAPI, client: AsyncClient, database: Settings, admin_url: str
    ) -> None:
        world = await make_world(application, client)
        with psycopg.connect(admin_url) as holder:
            holder.execute(
                "SELECT FROM app.coin_accounts WHERE campaign_id = %s AND user_id = %s AND kind = 'wallet' FOR UPDATE",
                (world.campaign_id, world.members[1].id),
            )
            items = [correction(world, member, 1) for member in range(3)]
            result = (await send(world, items, "continue_on_failure")).json()
        assert [item["outcome"] for item in result["items"]] == ["corrected", "busy", "corrected"]

    async def test_the_body_has_its_own_limit(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        blank = b" " * parts(application).settings.limits.request_body_bytes_max
        headers = {"Content-Type": "application/json"}
        longer = await world.call(world.manager, "POST", PATH, key="k", content=blank + b"{}", headers=headers)
        assert (longer.status_code, longer.json()["errors"][0]["field"]) == (422, "items")
        longest = await world.call(world.manager, "POST", PATH, key="k", content=blank * 5 + b"{}", headers=headers)
        assert longest.status_code == 413
        elsewhere = await world.call(world.manager, "POST", "/campaigns", content=blank + b"{}", headers=headers)
        assert elsewhere.status_code == 413


class TestGrants:
    async def test_open_the_wallets_of_a_campaign_that_is_set_up(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, policy={"stakes_visible_to": "managers"})
        newcomer, other = await move_in(world, 2)
        grant: dict[str, Any] = {"campaign_id": str(world.campaign_id), "user_id": str(newcomer)}
        more = {**grant, "kind": "correct", "coins": 11, "reason": "a prize"}
        items = [more, grant, more, {**grant, "user_id": str(other), "coins": 100}, grant]
        result = (await send(world, items, "continue_on_failure")).json()
        assert [(item["outcome"], item.get("wallet_coins")) for item in result["items"]] == [
            ("not_a_member", None), ("granted", 100), ("corrected", 111), ("granted", 100), ("already_granted", 111),
        ]  # fmt: skip
        found = await conserved(world)
        assert (found.issued_coins, found.wallet_coins) == (6 * 100 + 11, 6 * 100 + 11)

    async def test_allow_joining_and_block_leaving_meanwhile(self, application: FastAPI, client: AsyncClient) -> None:
        """While a call of grants and corrections is not committed, its members cannot leave, but others can join."""
        world = await make_world(application, client)
        (waiting,) = await move_in(world, 1)
        manager = bulk.Manager(world.manager.id, is_admin=False)
        items = [
            bulk.BulkItem(campaign_id=world.campaign_id, user_id=waiting, kind="grant"),
            bulk.BulkItem(
                campaign_id=world.campaign_id, user_id=world.members[0].id, kind="correct", coins=5, reason="a prize"
            ),
        ]
        newcomer = await commit_user(application)
        async with parts(application).database.session() as session:
            result = await bulk.allocate_in_bulk(session, items, mode="atomic", manager=manager)
            assert result.succeeded == 2
            joined = await world.call(newcomer, "POST", "/campaigns/{id}/join")
            assert joined.status_code == 200
            leaving = asyncio.create_task(world.call(world.members[0], "POST", "/campaigns/{id}/leave"))
            await until_a_connection_waits_for_a_lock(application)
            assert not leaving.done()
        assert (await leaving).status_code == 204
        assert (await world.balance(newcomer))["wallet_coins"] == 100
        assert (await conserved(world)).issued_coins == 6 * 100 + 5

    async def test_two_concurrent_calls_grant_once(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        people = await move_in(world, 50)
        items = [{"campaign_id": str(world.campaign_id), "user_id": str(person)} for person in people]
        results = await asyncio.gather(*(send(world, items, "continue_on_failure") for _ in range(4)))
        assert sum(result.json()["succeeded"] for result in results) == len(people)
        assert (await conserved(world)).issued_coins == (4 + len(people)) * 100


class TestIdempotency:
    async def test_a_key_is_required_and_replayed(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        items = [correction(world, 0, 5)]
        without = await world.call(world.manager, "POST", PATH, json={"items": items})
        assert (without.status_code, without.json()["type"]) == (400, "urn:ideamint:problem:idempotency-key")
        first, again = await asyncio.gather(*(send(world, items, key="once") for _ in range(2)))
        assert first.content == again.content
        assert {"idempotency-replayed" in response.headers for response in (first, again)} == {True, False}
        assert (await send(world, [correction(world, 0, 6)], key="once")).status_code == 422
        assert (await world.balance(world.members[0]))["wallet_coins"] == 105

    async def test_a_dry_run_reports_all_outcomes_and_writes_nothing(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(application, client, policy={"stakes_visible_to": "managers"})
        before = await conserved(world)
        response = await send(world, [correction(world, 0, 5)], params={"dry_run": True})
        assert response.json()["items"] == [{"index": 0, "outcome": "corrected", "wallet_coins": 105}]
        refused = await send(world, [correction(world, 0, -101)], params={"dry_run": True})
        assert refused.status_code == 409
        assert await conserved(world) == before


class TestCsv:
    async def test_is_read_like_json(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        campaign_id, one, two = world.campaign_id, world.members[0].id, world.members[1].id
        document = (
            f'{HEADER}\r\n{campaign_id},{one},correct,+5,"counted, wrongly"\r\n{campaign_id},{two},grant,,\r\n'
            f"{campaign_id},{two},correct,-500,too much\r\n"
        )
        result = await world.call(
            world.manager, "POST", PATH, key="k", content=document.encode(),
            headers={"Content-Type": "text/csv"}, params={"mode": "continue_on_failure"},
        )  # fmt: skip
        assert [item["outcome"] for item in result.json()["items"]] == [
            "corrected",
            "already_granted",
            "insufficient_coins",
        ]

    async def test_errors_name_line_and_column(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        document = f"{HEADER}\n{world.campaign_id},{world.members[0].id},correct,five,why\n"
        result = await world.call(
            world.manager, "POST", PATH, key="k", content=document.encode(), headers={"Content-Type": "text/csv"}
        )
        (error,) = result.json()["errors"]
        assert (result.status_code, error["line"], error["column"]) == (422, 2, "coins")


class TestManyItems:
    @pytest.mark.volume
    async def test_ten_thousand_in_one_call(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        people = await move_in(world, MANY)
        campaign_id = str(world.campaign_id)
        grants = [{"campaign_id": campaign_id, "user_id": str(person), "kind": "grant"} for person in people]
        reason = "r" * 200
        corrections = [{**item, "kind": "correct", "coins": 7, "reason": reason} for item in grants]
        for name, items in (("granted", grants), ("corrected", corrections)):
            started = time.perf_counter()
            result = await send(world, items)
            taken_s = time.perf_counter() - started
            assert result.status_code == 200, result.text[:500]
            assert result.json()["succeeded"] == MANY
            print(f"bulk: {MANY:,} {name} in {taken_s:.2f} s, {MANY / taken_s:,.0f}/s")  # noqa: T201 - the figure is the result of the benchmark
        found = await conserved(world)
        assert (found.issued_coins, found.wallet_coins) == (4 * 100 + MANY * 107, 4 * 100 + MANY * 107)
        assert (await send(world, [*grants, grants[0]])).status_code == 422

    async def test_of_one_member_are_limited(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, policy={"stakes_visible_to": "managers"})
        result = await send(world, [correction(world, 0, 1)] * 100)
        assert result.json()["items"][-1]["wallet_coins"] == 200
        refused = await send(world, [correction(world, 0, 1)] * 101)
        assert (refused.status_code, refused.json()["type"]) == (422, "urn:ideamint:problem:invalid-input")

    async def test_concurrent_allocations_cause_no_deadlock_and_lose_no_coin(
        self, application: FastAPI, database: Settings
    ) -> None:
        """Two clients correct the same wallets in opposite orders while their members allocate."""
        db = parts(application).database
        async with db.session() as session:
            ledger = await make_ledger(session, members=40, ideas=2, coins_per_member=100)
        corrected = 0
        moved = 0

        async def correct(members: list[UUID], amount: int) -> None:
            nonlocal corrected
            for _ in range(15):
                async with db.session() as session:
                    items = [Correction(ledger.campaign_id, user_id, "correct", amount, "why") for user_id in members]
                    done = await correct_coins(session, items, actor_id=None)
                assert {outcome.outcome for outcome in done} <= {"corrected", "insufficient_coins", "busy"}
                corrected += amount * sum(outcome.outcome == "corrected" for outcome in done)

        async with Batcher(database.database, database.ledger) as batcher:

            async def allocate(member: int) -> None:
                nonlocal moved
                for n in range(10):
                    outcome = await batcher.move(ledger.move(3, member=member, target=1, key=f"{n}"))
                    assert outcome.outcome in {"moved", "insufficient_coins"}
                    moved += 3 * outcome.succeeded

            await asyncio.gather(
                correct(ledger.members, 5),
                correct(ledger.members[::-1], -4),
                *(allocate(member) for member in range(len(ledger.members))),
            )
        async with db.session() as session:
            (found,) = await coins.verify(session, ledger.campaign_id)
        assert found.holds
        assert (found.issued_coins, found.staked_coins) == (40 * 100 + corrected, moved)
        assert corrected != 0
        assert moved > 0
