"""Dates of a campaign: they are enforced exactly, contradictions are refused, and campaigns close and complete on time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api.campaigns import service as campaigns
from api.campaigns.dates import NAMES, Dates
from api.campaigns.handlers import close_due_campaigns
from api.coins import service as coins
from api.coins.policies import PolicyWrite
from api.ideas import errors as idea_errors
from api.ideas import service as ideas
from api.ideas.handlers import complete_due_campaigns
from api.kernel import clock
from tests.factories.campaigns import DESCRIPTION, World, make_world
from tests.factories.containers import parts
from tests.factories.ledgers import end_graces, make_ledger
from tests.factories.users import bearer, commit_user

if TYPE_CHECKING:
    from fastapi import FastAPI
    from httpx2 import AsyncClient
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database

START = datetime(2190, 3, 1, tzinfo=UTC)  # in the future: a worker that runs during the tests closes nothing
END = START + timedelta(days=7)
TICK = timedelta(microseconds=1)
MOMENTS = {START - TICK: False, START: True, END: True, END + TICK: False}
FAR_AT = datetime(2199, 1, 1, tzinfo=UTC)
FAR = "2199-01-01T00:00:00Z"


async def end(world: World, *, seconds_ago: int = 60, **dates: str) -> None:
    """Move the end of the campaign into the past with the command."""
    moment = (datetime.now(UTC) - timedelta(seconds=seconds_ago)).isoformat()
    response = await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"ends_at": moment, **dates})
    assert response.status_code == 200, response.text


async def status_of(world: World) -> str:
    found: str = (await world.call(world.manager, "GET", "/campaigns/{id}")).json()["status"]
    return found


async def events_of(world: World, kind: str) -> list[Any]:
    async with parts(world.app).database.session() as session:
        rows = await session.execute(
            text(
                "SELECT actor_id, occurred_at, data FROM app.events WHERE campaign_id = :id AND kind = :kind ORDER BY recorded_at"
            ),
            {"id": world.campaign_id, "kind": kind},
        )
        return list(rows)


class TestMoveCoins:
    @pytest.mark.parametrize(
        ("campaign", "policy"),
        [
            ((START, END), (None, None)),
            ((None, None), (START, END)),
            ((START, END), (START - TICK, END + TICK)),
            ((START - TICK, END + TICK), (START, END)),
            ((START, None), (None, END)),
        ],
    )
    async def test_is_possible_in_the_intersection_of_the_windows_to_the_microsecond(
        self, session: AsyncSession, campaign: tuple[Any, Any], policy: tuple[Any, Any]
    ) -> None:
        ledger = await make_ledger(session, allocation_opens_at=policy[0], allocate_until=policy[1])
        await coins.set_window(session, ledger.campaign_id, opens_at=campaign[0], closes_at=campaign[1])
        with clock.at(START):
            await coins.move_coins(session, [ledger.move(50, target=1)])
        moves = {"allocate": (None, 1), "reallocate": (1, 2), "take back": (1, None)}
        for (source, target), (moment, is_open) in ((m, k) for m in moves.values() for k in MOMENTS.items()):
            with clock.at(moment):
                (outcome,) = await coins.move_coins(session, [ledger.move(1, source=source, target=target)])
            assert outcome.outcome == ("moved" if is_open else "window_closed"), moment
            if not is_open:
                assert (outcome.opens_at, outcome.closes_at) == (START, END)

    async def test_is_checked_and_recorded_at_the_same_moment_of_the_database(self, session: AsyncSession) -> None:
        """Movements while the end passes by the server's clock: none is recorded after it."""
        ledger = await make_ledger(session, members=2)
        closes_at = await session.scalar(text("SELECT clock_timestamp() + interval '50 ms'"))
        await coins.set_window(session, ledger.campaign_id, opens_at=None, closes_at=closes_at)
        outcomes: list[coins.Outcome] = []
        while not outcomes or outcomes[-1].outcome == "moved":
            target, source = (1, None) if len(outcomes) % 2 == 0 else (None, 1)
            outcomes += await coins.move_coins(session, [ledger.move(1, source=source, target=target)])
        assert outcomes[-1].outcome == "window_closed"
        assert await session.scalar(text("SELECT clock_timestamp()")) > closes_at
        assert all(outcome.effective_at <= closes_at for outcome in outcomes if outcome.effective_at)

    async def test_is_refused_with_the_times(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        assert (await world.allocate(world.members[1], idea, 10)).status_code == 201
        await end(world)
        ends_at = (await world.call(world.manager, "GET", "/campaigns/{id}")).json()["ends_at"]
        refused = await world.allocate(world.members[1], idea, 10)
        problem = refused.json()
        assert (refused.status_code, problem["type"]) == (409, "urn:ideamint:problem:allocation-window-closed")
        assert problem["opens_at"] is None
        assert datetime.fromisoformat(problem["closes_at"]) == datetime.fromisoformat(ends_at)
        assert ends_at[:19] in problem["detail"]
        # a policy without a window does not extend it
        widened = await world.call(world.manager, "PUT", "/campaigns/{id}/coins/policies", json={})
        assert widened.status_code == 200, widened.text
        assert (await world.allocate(world.members[1], idea, 10)).status_code == 409
        later = await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"ends_at": FAR})
        assert later.json()["status"] == "active"
        assert (await world.allocate(world.members[1], idea, 10)).status_code == 201


class TestSubmitIdea:
    async def test_is_possible_within_the_dates_to_the_microsecond(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        with clock.at(START):
            world = await make_world(application, client, starts_at=START, ends_at=END)
            early_close = await make_world(
                application, client, starts_at=START, submissions_close_at=END, ends_at=END + timedelta(days=1)
            )
        for (moment, is_open), where in ((m, w) for m in MOMENTS.items() for w in (world, early_close)):
            async with parts(application).database.session() as session:
                campaign = await campaigns.get_campaign(session, where.campaign_id)
                submission = ideas.submit_idea(
                    session, campaign, author_id=where.members[0].id, title="In time or not", description=DESCRIPTION
                )
                with clock.at(moment):
                    if is_open:
                        assert (await submission).submitted_at == moment
                        continue
                    with pytest.raises(idea_errors.SubmissionsClosed) as refused:
                        await submission
            assert refused.value.extensions == {"opens_at": START, "closes_at": END}

    async def test_the_clock_of_the_database_decides(
        self, application: FastAPI, client: AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = await make_world(application, client)
        await end(world)
        async with parts(application).database.session() as session:
            campaign = await campaigns.get_campaign(session, world.campaign_id)
            monkeypatch.setattr(
                clock, "now", lambda: datetime(2020, 1, 1, tzinfo=UTC)
            )  # an API process whose clock is far behind
            with pytest.raises(idea_errors.SubmissionsClosed):
                await ideas.submit_idea(
                    session, campaign, author_id=world.members[0].id, title="Too late for this", description=DESCRIPTION
                )

    async def test_is_refused_with_the_times(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        body = {"title": "At the wrong time", "description": DESCRIPTION}
        later = {"starts_at": "2198-01-01T00:00:00Z", "ends_at": FAR}
        assert (await world.call(world.manager, "PATCH", "/campaigns/{id}", json=later)).status_code == 200
        early = await world.call(world.members[0], "POST", "/campaigns/{id}/ideas", json=body)
        assert (early.status_code, early.json()["type"]) == (409, "urn:ideamint:problem:submissions-closed")
        assert (
            early.json()["detail"]
            == "Ideas can be submitted from 2198-01-01T00:00:00+00:00 until 2199-01-01T00:00:00+00:00."
        )
        await end(world, starts_at="2026-01-01T00:00:00Z")
        late = await world.call(world.members[0], "POST", "/campaigns/{id}/ideas", json=body)
        assert (late.status_code, late.json()["opens_at"]) == (409, "2026-01-01T00:00:00+00:00")


class TestDates:
    """One minute between the dates; every wrong order of two of them is refused."""

    @pytest.mark.parametrize(("earlier", "later"), list(permutations(NAMES, 2)))
    async def test_in_the_wrong_order_are_refused_everywhere(
        self, application: FastAPI, client: AsyncClient, earlier: str, later: str
    ) -> None:
        headers = await bearer(application, await commit_user(application, permissions=["create_campaign"]))
        dates = {earlier: "2027-01-01T00:00:00Z", later: "2027-01-01T00:01:00Z"}
        if "decide_by" in dates and "ends_at" not in dates:
            dates["ends_at"] = dates["decide_by"]
        is_right = NAMES.index(earlier) < NAMES.index(later)
        made = await client.post("/api/v1/campaigns", headers=headers, json={"title": "With dates", **dates})
        assert made.status_code == (201 if is_right else 422), made.text
        empty = await client.post("/api/v1/campaigns", headers=headers, json={"title": "Without dates"})
        path = empty.headers["location"]
        changed = await client.patch(path, headers=headers, json=dates)
        assert changed.status_code == (200 if is_right else 422), changed.text
        if not is_right:
            assert changed.json()["type"] == "urn:ideamint:problem:dates-out-of-order"
            assert (await client.get(path, headers=headers)).json()["starts_at"] is None
        columns = ", ".join(f"{name} = '{value}'" for name, value in dates.items())
        async with parts(application).database.session() as session:
            update = text(f"UPDATE app.campaigns SET {columns} WHERE id = '{empty.json()['id']}'")
            if is_right:
                await session.execute(update)
            else:
                with pytest.raises(IntegrityError, match="ck_campaigns_dates_in_order"):
                    await session.execute(update)
            await session.rollback()

    @pytest.mark.parametrize(
        ("dates", "policy", "problem"),
        [
            ({"starts_at": START}, {"allocation_opens_at": START - TICK}, "starts_at is after coin_policy.allocation"),
            ({"starts_at": START}, {"allocate_until": START - TICK}, "starts_at is after coin_policy.allocate_until"),
            ({"ends_at": END}, {"allocate_until": END + TICK}, "coin_policy.allocate_until is after ends_at"),
            ({"ends_at": END}, {"allocation_opens_at": END + TICK}, "coin_policy.allocation_opens_at is after ends_at"),
            ({"decide_by": END}, {}, "decide_by needs ends_at"),
            ({"starts_at": START, "ends_at": END}, {"allocation_opens_at": START, "allocate_until": END}, None),
            ({"starts_at": START, "ends_at": START, "decide_by": START, "submissions_close_at": START}, {}, None),
        ],
    )
    def test_contain_the_window_of_the_coin_policy(
        self, dates: dict[str, datetime], policy: dict[str, Any], problem: str | None
    ) -> None:
        found = Dates(**dates).find_contradiction(PolicyWrite(**policy))
        assert (found is None) if problem is None else str(found).startswith(problem)

    async def test_are_checked_by_both_commands_that_change_a_window(
        self, application: FastAPI, client: AsyncClient
    ) -> None:
        world = await make_world(
            application, client, ends_at=FAR_AT, policy={"allocate_until": FAR_AT - timedelta(days=365)}
        )
        wider = await world.call(
            world.manager, "PUT", "/campaigns/{id}/coins/policies", json={"allocate_until": "2199-06-01T00:00:00Z"}
        )
        assert (wider.status_code, wider.json()["type"]) == (422, "urn:ideamint:problem:dates-out-of-order")
        earlier = await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"ends_at": "2197-01-01T00:00:00Z"})
        assert earlier.status_code == 422
        assert "coin_policy.allocate_until is after ends_at" in earlier.json()["detail"]


class TestChangeDates:
    async def test_changes_the_given_dates_and_removes_null(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client, starts_at=START, ends_at=FAR_AT)
        changed = await world.call(
            world.manager, "PATCH", "/campaigns/{id}", json={"starts_at": None, "decide_by": "2199-02-01T00:00:00Z"}
        )
        body = changed.json()
        assert [body[name] for name in NAMES] == [None, None, FAR, "2199-02-01T00:00:00Z"]
        (event,) = await events_of(world, "campaign_dates_changed")
        assert event.actor_id == world.manager.id
        assert event.data["before"] == {"status": "active", "starts_at": "2190-03-01T00:00:00Z", "ends_at": FAR}
        for same in ({}, {"ends_at": FAR}, {"starts_at": None}):
            again = await world.call(world.manager, "PATCH", "/campaigns/{id}", json=same)
            assert again.json() == body
        assert len(await events_of(world, "campaign_dates_changed")) == 1, "nothing changed"

    async def test_is_for_managers(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        member = await world.call(world.members[0], "PATCH", "/campaigns/{id}", json={})
        assert (member.status_code, member.json()["type"]) == (403, "urn:ideamint:problem:not-a-manager")

    @pytest.mark.parametrize("dates", [{"ends_at": FAR}, {"ends_at": None}])
    async def test_opens_a_closed_campaign_again(
        self, application: FastAPI, client: AsyncClient, db: Database, dates: dict[str, str | None]
    ) -> None:
        world = await make_world(application, client)
        await end(world)
        await close_due_campaigns(db)
        assert await status_of(world) == "closed"
        await end(world, seconds_ago=30)
        assert await status_of(world) == "closed", "the new end has passed too"
        opened = await world.call(world.manager, "PATCH", "/campaigns/{id}", json=dates)
        assert opened.json()["status"] == "active"
        last = (await events_of(world, "campaign_dates_changed"))[-1]
        assert (last.data["before"]["status"], last.data["after"]["status"]) == ("closed", "active")
        await world.submit(world.members[0])


class TestCloseDueCampaigns:
    async def test_closes_once_with_any_number_of_workers(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        """No process runs while the ends pass; the next start closes the campaigns, at the time of their ends."""
        worlds = [await make_world(application, client, members=1) for _ in range(3)]
        for world in worlds:
            await end(world, seconds_ago=3600)
        await asyncio.gather(*(close_due_campaigns(db) for _ in range(4)))
        for world in worlds:
            assert await status_of(world) == "closed"
            (event,) = await events_of(world, "campaign_closed")
            ends_at = (await world.call(world.manager, "GET", "/campaigns/{id}")).json()["ends_at"]
            assert event.actor_id is None
            assert event.occurred_at == datetime.fromisoformat(ends_at)
            assert event.data["after"] == {"status": "closed"}

    async def test_ignores_campaigns_that_have_not_ended(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        worlds = [await make_world(application, client, members=0, ends_at=ends_at) for ends_at in (FAR_AT, None)]
        await close_due_campaigns(db)
        assert [await status_of(world) for world in worlds] == ["active", "active"]

    async def test_skips_a_campaign_that_a_command_has_locked(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        world, free = [await make_world(application, client, members=0) for _ in range(2)]
        async with db.session() as session:
            await campaigns.get_campaign(session, world.campaign_id, lock="change")
            await session.execute(
                text("UPDATE app.campaigns SET ends_at = now() - interval '1 s' WHERE id = :id"),
                {"id": world.campaign_id},
            )
            await end(free)
            await close_due_campaigns(db)
            assert await status_of(free) == "closed"
        await close_due_campaigns(db)
        assert await status_of(world) == "closed"

    async def test_continues_after_a_campaign_that_fails(
        self, application: FastAPI, client: AsyncClient, db: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from api.campaigns import due

        worlds = [await make_world(application, client, members=0) for _ in range(2)]
        for world in worlds:
            await end(world)
        acted: list[Any] = []

        async def act(_session: AsyncSession, campaign: Any) -> None:
            acted.append(campaign.id)
            assert campaign.id != worlds[0].campaign_id, "this one fails"

        await due.for_each_ended(db, act)
        assert {world.campaign_id for world in worlds} <= set(acted)


class TestCompleteDueCampaigns:
    async def test_completes_at_decide_by_as_the_command_does(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        assert (await world.allocate(world.members[1], idea, 30)).status_code == 201
        past = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
        await end(world, decide_by=past)
        await close_due_campaigns(db)
        await asyncio.gather(*(complete_due_campaigns(db) for _ in range(3)))
        assert await status_of(world) == "completed"
        assert (await world.call(world.manager, "GET", f"/ideas/{idea}")).json()["status"] == "not_selected"
        assert (await world.balance(world.members[1]))["expired_coins"] == 100
        (event,) = await events_of(world, "campaign_completed")
        assert event.actor_id is None
        assert event.data["before"]["status"] == "closed"

    async def test_a_manager_who_completes_it_at_the_same_time_completes_it_once(
        self, application: FastAPI, client: AsyncClient, db: Database
    ) -> None:
        worlds = [await make_world(application, client) for _ in range(4)]
        past = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
        for world in worlds:
            await end(world, decide_by=past)
        await close_due_campaigns(db)
        completing = asyncio.create_task(complete_due_campaigns(db))
        answers = await asyncio.gather(
            *(world.call(world.manager, "POST", "/campaigns/{id}/complete") for world in worlds)
        )
        await completing
        await complete_due_campaigns(db)
        for world, answer in zip(worlds, answers, strict=True):
            (event,) = await events_of(world, "campaign_completed")
            assert answer.status_code == (409 if event.actor_id is None else 200), answer.text
            assert (await world.balance(world.members[1]))["expired_coins"] == 100

    async def test_waits_for_decide_by(self, application: FastAPI, client: AsyncClient, db: Database) -> None:
        world = await make_world(application, client, members=0)
        await end(world, decide_by=FAR)
        other = await make_world(application, client, members=0)
        await end(other)
        await close_due_campaigns(db)
        await complete_due_campaigns(db)
        assert [await status_of(world), await status_of(other)] == ["closed", "closed"]

    async def test_waits_for_the_end_of_grace_times(
        self, application: FastAPI, client: AsyncClient, db: Database, admin_url: str
    ) -> None:
        world = await make_world(application, client)
        idea = await world.submit(world.members[0])
        assert (await world.allocate(world.members[1], idea, 30)).status_code == 201
        larger = {"title": "Twice as many racks", "reason": "It costs more", "is_material": True}
        edited = await world.call(world.manager, "PATCH", f"/ideas/{idea}", json=larger)
        until = edited.json()["grace_until"]
        past = (datetime.now(UTC) - timedelta(seconds=5)).isoformat()
        await end(world, decide_by=past)
        await close_due_campaigns(db)
        await complete_due_campaigns(db)
        assert await status_of(world) == "closed"
        for dry_run in (True, False):
            refused = await world.call(world.manager, "POST", "/campaigns/{id}/complete", params={"dry_run": dry_run})
            assert refused.status_code == 409
            assert datetime.fromisoformat(refused.json()["grace_until"]) == datetime.fromisoformat(until)
        await end_graces(admin_url, idea)
        await complete_due_campaigns(db)
        assert await status_of(world) == "completed"

    async def test_dates_of_a_completed_campaign_do_not_change(self, application: FastAPI, client: AsyncClient) -> None:
        world = await make_world(application, client)
        assert (await world.call(world.manager, "POST", "/campaigns/{id}/complete")).is_success
        refused = await world.call(world.manager, "PATCH", "/campaigns/{id}", json={"ends_at": FAR})
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ideamint:problem:campaign-not-active")
