"""Commands on consumers: parked events are retried or skipped, and a consumer is moved back."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text

from api.events import operations, status
from api.events.consumers import Event
from api.kernel.errors import DomainError, NotFound
from tests.factories.consumers import Probe

if TYPE_CHECKING:
    from httpx2 import AsyncClient

    from api.kernel.db import Database

MakeProbe = Callable[..., Awaitable[Probe]]


async def fail(event: Event) -> None:
    if event.payload.as_data()["idea_version"] == 2:
        msg = "number 2 fails"
        raise ValueError(msg)


async def parked(make_probe: MakeProbe, on_failure: str) -> Probe:
    """A probe of four events of one campaign, whose second is parked."""
    probe = await make_probe(on_failure=on_failure, attempts_max=2)
    await probe.record(uuid4(), 1, 2, 3, 4)
    probe.before_effects = fail
    await probe.follow()
    probe.before_effects = None
    return probe


class TestRetry:
    @pytest.mark.parametrize(("on_failure", "order"), [("park", [1, 3, 4, 2]), ("wait", [1, 2, 3, 4])])
    async def test_a_worker_handles_it_again(
        self, make_probe: MakeProbe, db: Database, on_failure: str, order: list[int]
    ) -> None:
        probe = await parked(make_probe, on_failure)
        event_id = await probe.event_id(2)
        async with db.session() as session:
            assert await operations.retry_events(session, probe.name) == [event_id]
        await probe.follow()
        assert await probe.seen() == order
        assert await probe.failures() == []

    async def test_one_that_fails_again_is_parked_again(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await parked(make_probe, "wait")
        probe.before_effects = fail
        async with db.session() as session:
            await operations.retry_events(session, probe.name, [await probe.event_id(2)])
        await probe.follow()
        assert await probe.seen() == [1]
        assert (await probe.failures())[0] == (2, 2, True, False)

    async def test_only_parked_events(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await parked(make_probe, "wait")
        for command in (operations.retry_events, operations.skip_events):
            with pytest.raises(NotFound, match="Not parked"):
                async with db.session() as session:
                    await command(session, probe.name, [await probe.event_id(3)])
            with pytest.raises(NotFound, match="no consumer"):
                async with db.session() as session:
                    await command(session, "unheard_of", [uuid4()])


class TestSkip:
    @pytest.mark.parametrize("on_failure", ["park", "wait"])
    async def test_the_others_are_handled(self, make_probe: MakeProbe, db: Database, on_failure: str) -> None:
        probe = await parked(make_probe, on_failure)
        async with db.session() as session:
            await operations.skip_events(session, probe.name, [await probe.event_id(2)])
        await probe.follow()
        assert await probe.seen() == [1, 3, 4]
        assert await probe.failures() == []


class TestReplay:
    async def test_from_an_event_time_or_the_beginning(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await make_probe()
        campaign = uuid4()
        await probe.record(campaign, 1, 2, 3)
        await probe.follow()
        async with db.session() as session:
            rows = await session.execute(
                text("SELECT id, recorded_at FROM app.events WHERE campaign_id = :id ORDER BY xid, id"),
                {"id": campaign},
            )
            _, second, third = rows.all()
            assert await operations.replay(session, probe.name, event_id=second.id) == 1
            assert await operations.replay(session, probe.name, event_id=third.id) == 0, "never forward"
        await probe.follow()
        assert await probe.seen(campaign) == [1, 2, 3, 2, 3]
        async with db.session() as session:
            await operations.replay(session, probe.name, recorded_since=third.recorded_at)
        await probe.follow()
        assert await probe.seen(campaign) == [1, 2, 3, 2, 3, 3]
        async with db.session() as session:
            await operations.replay(session, probe.name)
        await probe.follow()
        assert (await probe.seen(campaign))[-3:] == [1, 2, 3]
        with pytest.raises(NotFound, match="no event"):
            async with db.session() as session:
                await operations.replay(session, probe.name, event_id=uuid4())

    async def test_ends_the_lease_and_deletes_failures(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await parked(make_probe, "wait")
        campaign = uuid4()
        is_moved = asyncio.Event()

        async def move_back(event: Event) -> None:
            if not is_moved.is_set():
                is_moved.set()
                async with db.session() as session:
                    await operations.replay(session, probe.name, event_id=event.id)

        await probe.record(campaign, 7)
        probe.before_effects = move_back
        await probe.follow()
        assert is_moved.is_set()
        assert await probe.seen(campaign) == [7]


class TestForget:
    async def test_leaves_nothing_of_the_consumer(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await parked(make_probe, "park")
        async with db.session() as session:
            await operations.forget(session, probe.name)
            found = await status.get_status(session)
        assert await probe.failures() == []
        assert probe.name not in {each.consumer for each in found.consumers}

    async def test_is_refused_while_a_worker_runs_it(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await make_probe()
        assert await probe.following._take_lease(5) is not None
        with pytest.raises(DomainError, match="A worker runs the consumer"):
            async with db.session() as session:
                await operations.forget(session, probe.name)
        assert (await probe.cursor(5)).lease_token is not None

    async def test_refuses_a_consumer_of_this_version(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await make_probe()
        with pytest.raises(DomainError, match="This version has the consumer"):
            async with db.session() as session:
                await operations.forget(session, probe.name, [probe.name])
        assert await probe.cursor(5)

    async def test_refuses_an_unknown_consumer(self, db: Database) -> None:
        with pytest.raises(NotFound, match="There is no consumer 'mail'"):
            async with db.session() as session:
                await operations.forget(session, "mail")


class TestStatus:
    async def test_counts_parked_and_waiting_events(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await parked(make_probe, "wait")
        async with db.session() as session:
            found = await status.get_status(session)
            (failure,) = await status.list_failures(session, probe.name)
        (mine,) = [each for each in found.consumers if each.consumer == probe.name]
        assert (mine.parked, mine.waiting, mine.leases) == (1, 2, 0)
        assert (failure.kind, failure.attempts, failure.error) == ("idea_edited", 2, "ValueError: number 2 fails")
        assert found.degraded()[f"consumer {probe.name}"].startswith("1 parked")

    async def test_readiness_reports_it_and_stays_200(self, make_probe: MakeProbe, client: AsyncClient) -> None:
        probe = await parked(make_probe, "park")
        response = await client.get("/health/ready")
        assert (response.status_code, response.json()["status"]) == (200, "degraded")
        assert response.json()["checks"][f"consumer {probe.name}"]["detail"].startswith("1 parked")

    async def test_lag_is_the_age_of_the_oldest_unread_event(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await make_probe()
        await probe.follow()
        async with db.session() as session:
            await session.execute(
                text(
                    "INSERT INTO app.events (kind, campaign_id, recorded_at) "
                    "VALUES ('user_registered', :id, clock_timestamp() - interval '2 hours')"
                ),
                {"id": uuid4()},
            )
        async with db.session() as session:
            found = await status.get_status(session)
        (mine,) = [each for each in found.consumers if each.consumer == probe.name]
        assert mine.lag_s >= 7200
        await probe.follow()
        async with db.session() as session:
            await session.execute(text("SELECT pg_current_xact_id()"))
            await probe.record(uuid4(), 1)  # its transaction is newer than this one, which is open
            assert (await status.get_status(session)).held_back_s > 0
