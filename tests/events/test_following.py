"""Consumers handle every event once and in order, with concurrent workers, failures and long transactions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from api.events import following, queries
from api.events.consumers import Consumer, Event, partition_of
from api.events.following import NO_RESULT, Following
from api.events.kinds import EventKind
from api.events.leases import Lease, LeaseLost
from api.kernel.background import Background
from tests.factories.consumers import Probe, edit

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database

MakeProbe = Callable[..., Awaitable[Probe]]


def fail_on(*numbers: int) -> Callable[[Event], Awaitable[None]]:
    async def check(event: Event) -> None:
        number: Any = event.payload.as_data()["idea_version"]
        if number in numbers:
            msg = f"number {number} fails"
            raise ValueError(msg)

    return check


def campaign_in(partition: int) -> UUID:
    return UUID(int=uuid4().int // 16 * 16 + partition)


class TestPartition:
    async def test_the_expression_of_the_index_gives_the_same(self, db: Database) -> None:
        campaigns = [uuid4() for _ in range(50)]
        expression = queries.PARTITION.format(alias="u")
        async with db.session() as session:
            rows = await session.execute(
                text(f"SELECT u.campaign_id, {expression} FROM unnest(CAST(:ids AS uuid[])) AS u (campaign_id)"),
                {"ids": [*campaigns, None]},
            )
            found = {row[0]: row[1] for row in rows}
        assert found == {campaign: partition_of(campaign) for campaign in [*campaigns, None]}
        assert found[None] == 0
        assert len(set(found.values())) > 8

    async def test_reading_uses_the_index(self, db: Database) -> None:
        statement = "EXPLAIN " + str(queries.READ_BATCH).replace(":", "%")
        statement = statement.replace("%batch_max", "500").replace("%partition", "3").replace("%xid", "'5'")
        statement = statement.replace("%id", f"'{uuid4()}'").replace("%kinds", "'{idea_edited}'")
        async with db.session() as session:
            await session.execute(text("SET LOCAL enable_seqscan = off"))
            plan = "\n".join(await session.scalars(text(statement.replace("%%", "\\:\\:"))))
        conditions = [line for line in plan.splitlines() if "Index Cond" in line]
        assert conditions, plan
        assert all(
            "ROW(xid, id)" in line and "pg_snapshot_xmin" in line and "& 15) = 3" in line for line in conditions
        ), plan


class TestOrder:
    async def test_events_of_each_campaign_come_once_and_in_order(self, make_probe: MakeProbe) -> None:
        probe = await make_probe(batch_max=3)
        campaigns = [uuid4(), uuid4(), None]
        for number in range(8):
            for campaign in campaigns:
                await probe.record(campaign, number)
        await probe.follow()
        for campaign in campaigns[:2]:
            assert await probe.seen(campaign) == list(range(8))
        assert sorted(await probe.seen()) == sorted([*range(8)] * 3)
        assert max(probe.sizes) <= 3
        await probe.follow()
        assert len(await probe.seen()) == 24

    async def test_other_kinds_are_skipped(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await make_probe()
        campaign = uuid4()
        async with db.session() as session:
            await session.execute(
                text("INSERT INTO app.events (kind, campaign_id) VALUES ('user_registered', :id)"), {"id": campaign}
            )
        await probe.follow()
        assert await probe.seen() == []
        before = await probe.cursor(partition_of(campaign))
        assert int(str(before.xid)) > 0
        assert before.lease_token is None

    async def test_workers_share_the_partitions(self, make_probe: MakeProbe) -> None:
        probe = await make_probe(batch_max=2)
        campaigns = [campaign_in(partition) for partition in range(16)]
        for number in range(4):
            for campaign in campaigns:
                await probe.record(campaign, number)
        await asyncio.gather(*(probe.follow() for _ in range(4)))
        for campaign in campaigns:
            assert await probe.seen(campaign) == [0, 1, 2, 3]

    async def test_a_transaction_that_commits_late_is_not_missed(self, make_probe: MakeProbe, db: Database) -> None:
        """The event with the lower id is committed last; later events wait, so that the order is kept."""
        probe = await make_probe()
        campaign = uuid4()
        async with db.session() as early:
            await edit(early, campaign, 1)
            await probe.record(campaign, 2, 3)
            await probe.following.run_once()
            assert await probe.seen() == []
        await probe.follow()
        assert await probe.seen() == [1, 2, 3]


class TestStart:
    async def test_at_the_end_skips_existing_events(self, make_probe: MakeProbe, db: Database) -> None:
        earlier = await make_probe()
        campaign = uuid4()
        await earlier.record(campaign, 1)
        await earlier.follow()
        later = await make_probe(starts_at="end")
        first = await make_probe(starts_at="beginning")
        await earlier.record(campaign, 2)
        await later.follow()
        await first.follow()
        assert (await later.seen(campaign), await first.seen(campaign)) == ([2], [1, 2])

    async def test_a_consumer_that_has_cursors_keeps_them(self, make_probe: MakeProbe) -> None:
        probe = await make_probe()
        campaign = uuid4()
        await probe.record(campaign, 1)
        await probe.following.register()
        await probe.follow()
        assert await probe.seen() == [1]


async def fail_to_connect(*_: object) -> None:
    raise ConnectionError


class TestLease:
    async def test_a_worker_that_lost_it_rolls_back(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await make_probe()
        campaign = uuid4()
        await probe.record(campaign, 1)
        taken: list[UUID] = []

        async def take_over(event: Event) -> None:
            """Take the lease by another worker, after it has expired by the database's clock."""
            if taken:
                return
            taken.append(event.id)
            async with db.session() as session:
                await session.execute(
                    text(
                        "UPDATE app.event_cursors SET lease_until = clock_timestamp() - interval '1 s' "
                        "WHERE consumer = :c AND lease_token IS NOT NULL"
                    ),
                    {"c": probe.name},
                )
            await probe.following.run_once()

        probe.before_effects = take_over
        await probe.follow()
        assert taken
        assert await probe.seen() == [1]
        assert await probe.failures() == []

    async def test_only_the_holder_at_its_position_advances(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await make_probe()
        following = probe.following
        lease = await following._take_lease(5)
        assert lease is not None
        assert await following._take_lease(5) is None, "another worker has the lease"
        position = (lease.xid, uuid4())
        async with db.session() as session:
            await lease.change(session, queries.ADVANCE, to=position)
        with pytest.raises(LeaseLost):  # the position has moved
            async with db.session() as session:
                await lease.change(session, queries.ADVANCE, to=(lease.xid, uuid4()))
        lease.id, lease.token = position[1], uuid4()
        with pytest.raises(LeaseLost):  # the token is another
            async with db.session() as session:
                await lease.change(session, queries.ADVANCE, to=(lease.xid, uuid4()))
        cursor = await probe.cursor(5)
        assert cursor.id == position[1]

    async def test_is_released_when_the_worker_stops(self, db: Database, make_probe: MakeProbe) -> None:
        probe = await make_probe()
        campaign = uuid4()
        await probe.record(campaign, 1)
        is_called = asyncio.Event()

        async def wait(event: Event) -> None:
            is_called.set()
            await asyncio.Event().wait()

        probe.before_effects = wait
        async with Background(db, [probe.following.loop]):
            await asyncio.wait_for(is_called.wait(), 60)
        assert (await probe.cursor(partition_of(campaign))).lease_token is None
        probe.before_effects = None
        await probe.follow()
        assert await probe.seen() == [1]
        assert await probe.failures() == []

    async def test_is_released_if_the_worker_stops_while_its_batch_is_committed(
        self, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The COMMIT succeeds, but the worker does not know it. It must end, not continue with the next partition."""
        probe = await make_probe()
        campaign = uuid4()
        await probe.record(campaign, 1)
        advance = Lease.change

        async def cancelled_after(lease: Lease, session: AsyncSession, *arguments: Any, **options: Any) -> None:
            await advance(lease, session, *arguments, **options)
            if "to" in options:
                await session.commit()
                raise asyncio.CancelledError

        monkeypatch.setattr(Lease, "change", cancelled_after)
        with pytest.raises(asyncio.CancelledError):
            await probe.follow()
        assert (await probe.cursor(partition_of(campaign))).lease_token is None
        monkeypatch.undo()
        await probe.follow()
        assert await probe.seen() == [1]

    async def test_is_released_if_the_database_fails(
        self, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        probe = await make_probe()
        campaign = uuid4()
        await probe.record(campaign, 1)

        with monkeypatch.context() as patch:
            patch.setattr(following, "_read", fail_to_connect)
            with pytest.raises(ConnectionError):
                await probe.follow()
        assert (await probe.cursor(partition_of(campaign))).lease_token is None

    async def test_a_release_that_fails_does_not_replace_the_cancellation(
        self, make_probe: MakeProbe, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        probe = await make_probe()
        await probe.record(uuid4(), 1)

        async def stop(event: Event) -> None:
            raise asyncio.CancelledError

        probe.before_effects = stop
        monkeypatch.setattr(Lease, "release", fail_to_connect)
        with pytest.raises(asyncio.CancelledError):
            await probe.follow()

    async def test_a_handler_that_takes_longer_than_the_lease_fails(self, make_probe: MakeProbe) -> None:
        probe = await make_probe(lease_s=0.4, attempts_max=1)
        await probe.record(uuid4(), 1)

        async def sleep(event: Event) -> None:
            await asyncio.Event().wait()

        probe.before_effects = sleep
        await probe.follow()
        assert await probe.failures() == [(1, 1, True, False)]


class TestFailure:
    async def test_an_event_that_fails_is_parked_and_the_others_are_handled(self, make_probe: MakeProbe) -> None:
        probe = await make_probe(attempts_max=3)
        campaign, other = uuid4(), campaign_in(1)
        await probe.record(campaign, 1, 2, 3)
        await probe.record(other, 4)
        probe.before_effects = fail_on(2)
        await probe.follow()
        assert await probe.seen(campaign) == [1, 3]
        assert await probe.seen(other) == [4]
        assert await probe.failures() == [(2, 3, True, False)]

    async def test_an_event_that_succeeds_later_keeps_its_order(self, make_probe: MakeProbe) -> None:
        probe = await make_probe(attempts_max=3)
        campaign = uuid4()
        await probe.record(campaign, 1, 2, 3)
        calls = []

        async def fail_twice(event: Event) -> None:
            number = event.payload.as_data()["idea_version"]
            calls.append(number)
            if number == 2 and calls.count(2) < 3:
                msg = "not yet"
                raise ValueError(msg)

        probe.before_effects = fail_twice
        await probe.follow()
        assert await probe.seen(campaign) == [1, 2, 3]
        assert await probe.failures() == []

    async def test_between_attempts_only_its_campaign_waits(self, make_probe: MakeProbe) -> None:
        probe = await make_probe(backoff_s=3600.0)
        campaign, other = campaign_in(7), campaign_in(7)
        await probe.record(campaign, 1, 2)
        probe.before_effects = fail_on(1)
        async for _ in _until_failed(probe, 2):
            await probe.following.run_once()
        await probe.record(campaign, 3)
        await probe.record(other, 4)
        async for _ in _until_seen(probe, other, [4]):
            await probe.following.run_once()
        assert await probe.seen(campaign) == []
        async for _ in _until_failed(probe, 3):
            await probe.following.run_once()
        assert await probe.failures() == [(1, 1, False, True), (2, 0, False, False), (3, 0, False, False)]

    async def test_an_unreadable_event_is_parked(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await make_probe(attempts_max=1)
        campaign = uuid4()
        insert = text("INSERT INTO app.events (kind, campaign_id, version, data) VALUES ('idea_edited', :id, :v, '{}')")
        async with db.session() as session:
            await session.execute(insert, {"id": campaign, "v": 1})
            await session.execute(insert, {"id": campaign, "v": 99})
        await probe.record(campaign, 3)
        await probe.follow()
        assert await probe.seen(campaign) == [3]
        async with db.session() as session:
            errors = await session.scalars(
                text("SELECT error FROM app.event_failures WHERE consumer = :c"), {"c": probe.name}
            )
            assert sorted(error.partition(":")[0] for error in errors) == ["UnknownVersion", "ValidationError"]

    async def test_a_failing_transaction_leaves_no_effect(self, make_probe: MakeProbe, db: Database) -> None:
        """An error that PostgreSQL raises after an effect was written, in the same event."""
        probe = await make_probe(attempts_max=2)
        handle = probe.handle

        async def handle_badly(session: Any, events: Any) -> None:
            await handle(session, events)
            await session.execute(text("SELECT 1 / 0"))

        consumer = Consumer(
            name=probe.name, kinds=frozenset({EventKind.IDEA_EDITED}), handle=handle_badly, attempts_max=2, backoff_s=0
        )
        await probe.record(uuid4(), 1)
        async for _ in _until_failed(probe, 1, parked=True):
            await Following(db, consumer).run_once()
        assert await probe.seen() == []


class ProcessKilled(BaseException):
    """Ends a worker like SIGKILL: nothing is caught, recorded or released."""


class TestKillingEvent:
    async def test_is_parked_after_its_attempts(self, make_probe: MakeProbe, db: Database) -> None:
        probe = await make_probe(attempts_max=3)
        campaign = uuid4()
        await probe.record(campaign, 1, 2, 3)
        killed = []

        async def kill(event: Event) -> None:
            if event.payload.as_data()["idea_version"] == 2:
                killed.append(event.id)
                raise ProcessKilled

        probe.before_effects = kill
        expire = text(
            "UPDATE app.event_cursors SET lease_until = clock_timestamp() - interval '1 s' "
            "WHERE consumer = :c AND lease_token IS NOT NULL"
        )
        for _ in range(4):  # in the batch, and at each attempt after it
            with pytest.raises(ProcessKilled):
                await probe.follow()
            async with db.session() as session:
                await session.execute(expire, {"c": probe.name})
        await probe.follow()
        assert len(killed) == 4
        assert await probe.seen(campaign) == [1, 3]
        assert await probe.failures() == [(2, 3, True, False)]
        async with db.session() as session:
            error = await session.scalar(
                text("SELECT error FROM app.event_failures WHERE consumer = :c"), {"c": probe.name}
            )
        assert error == NO_RESULT


class TestWaiting:
    async def test_later_events_of_the_campaign_wait_for_a_parked_one(self, make_probe: MakeProbe) -> None:
        probe = await make_probe(on_failure="wait", attempts_max=2)
        campaign, other = campaign_in(3), campaign_in(3)
        await probe.record(campaign, 1, 2, 3)
        await probe.record(other, 4)
        probe.before_effects = fail_on(2)
        await probe.follow()
        await probe.record(campaign, 5)
        await probe.record(other, 6)
        await probe.follow()
        assert (await probe.seen(campaign), await probe.seen(other)) == ([1], [4, 6])
        assert await probe.failures() == [(2, 2, True, False), (3, 0, False, False), (5, 0, False, False)]


async def _until_failed(probe: Probe, count: int, *, parked: bool = False) -> Any:
    for _ in range(1000):
        failures = await probe.failures()
        if len(failures) == count and (not parked or all(failure[2] for failure in failures)):
            return
        yield
        await asyncio.sleep(0.02)
    msg = f"not {count} failures: {failures}"
    raise AssertionError(msg)


async def _until_seen(probe: Probe, campaign: UUID, numbers: list[int]) -> Any:
    for _ in range(1000):
        if await probe.seen(campaign) == numbers:
            return
        yield
        await asyncio.sleep(0.02)
    msg = "the campaign's events were not handled"
    raise AssertionError(msg)
