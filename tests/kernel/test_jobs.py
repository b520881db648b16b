"""Jobs: deferred in a transaction, with ids only, run and retried by a worker."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from sqlalchemy import text

from api.container import Container, make_container
from api.kernel import job_worker
from api.kernel.background import Background
from api.kernel.container import KernelContainer
from api.kernel.job_worker import JobWorker
from api.kernel.jobs import Job, defer
from tests.factories.clocks import TRIES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from api.kernel.db import Database
    from settings import Settings


@dataclass
class Probe:
    """A job with a unique name that records its arguments and fails `failures` times."""

    failures: int = 0
    is_unique: bool = False
    attempts_max: int = 5
    name: str = field(default_factory=lambda: f"probe_{''.join(chr(97 + int(c, 16)) for c in uuid4().hex)}")
    ran: list[tuple[UUID, int]] = field(default_factory=list)

    @property
    def job(self) -> Job[KernelContainer, Any]:
        return Job(name=self.name, run=self.run, is_unique=self.is_unique, attempts_max=self.attempts_max)

    async def run(self, container: KernelContainer, *, campaign_id: UUID, number: int) -> None:
        assert isinstance(container, KernelContainer)
        self.ran.append((campaign_id, number))
        if len(self.ran) <= self.failures:
            msg = "not yet"
            raise RuntimeError(msg)


@pytest_asyncio.fixture
async def container(database: Settings) -> AsyncIterator[Container]:
    container = make_container(database)
    yield container
    await container.close()


@pytest.fixture
def without_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_worker, "BACKOFF_S", 0)
    monkeypatch.setattr(job_worker, "POLL_S", 0.02)


async def rows(db: Database, name: str) -> list[tuple[str, int]]:
    """Status and attempts of the stored jobs of a name."""
    statement = text(
        "SELECT CAST(status AS text) AS status, attempts FROM jobs.procrastinate_jobs WHERE task_name = :n ORDER BY id"
    )
    async with db.session() as session:
        return [(row.status, row.attempts) for row in await session.execute(statement, {"n": name})]


async def work(container: Container, *probes: Probe, until: list[tuple[str, int]]) -> None:
    """Run the jobs of the probes until those of the first one have these statuses and attempts."""
    worker = JobWorker[Container](container, [probe.job for probe in probes])
    found: list[tuple[str, int]] = []
    async with Background(container.database, worker.loops):
        for _ in range(TRIES):
            found = await rows(container.database, probes[0].name)
            if found == until:
                return
            await asyncio.sleep(0.02)
    pytest.fail(f"the jobs are {found} and not {until}")


class TestDefer:
    async def test_a_commit_leaves_the_job_and_a_rollback_none(self, db: Database) -> None:
        probe = Probe()
        async with db.session() as session:
            assert await defer(session, probe.job, campaign_id=uuid4(), number=1)
            await session.rollback()
        assert await rows(db, probe.name) == []
        async with db.session() as session:
            assert await defer(session, probe.job, campaign_id=uuid4(), number=1)
            assert await rows(db, probe.name) == []
        assert await rows(db, probe.name) == [("todo", 0)]

    async def test_a_unique_job_is_queued_once_for_the_same_ids(self, db: Database) -> None:
        """The refused job does not end the transaction of its cause."""
        probe, campaign = Probe(is_unique=True), uuid4()
        async with db.session() as session:
            assert await defer(session, probe.job, campaign_id=campaign, number=1)
            assert not await defer(session, probe.job, number=1, campaign_id=campaign)
            assert await defer(session, probe.job, campaign_id=campaign, number=2)
        assert await rows(db, probe.name) == [("todo", 0), ("todo", 0)]

    @pytest.mark.parametrize("value", ["ada@example.org", True, 1.5, None, b"token", [1]])
    async def test_refuses_an_argument_that_is_not_an_id(self, db: Database, value: Any) -> None:
        probe = Probe()
        async with db.session() as session:
            with pytest.raises(TypeError, match=r"number must be a UUID or an int"):
                await defer(session, probe.job, campaign_id=uuid4(), number=value)
        assert await rows(db, probe.name) == []

    @pytest.mark.parametrize("ids", [{"campaign_id": uuid4()}, {"campaign_id": uuid4(), "number": 1, "more": 2}])
    async def test_refuses_missing_and_unknown_arguments(self, db: Database, ids: dict[str, Any]) -> None:
        async with db.session() as session:
            with pytest.raises(TypeError):
                await defer(session, Probe().job, **ids)

    async def test_an_error_of_the_database_is_that_of_the_driver(self, db: Database) -> None:
        async with db.session() as session:
            await session.execute(text("SET LOCAL search_path = app"))
            with pytest.raises(psycopg.errors.UndefinedObject):
                await defer(session, Probe().job, campaign_id=uuid4(), number=1)
            await session.rollback()


class TestStoredArguments:
    @pytest.mark.parametrize(
        "arguments",
        [
            '{"email": "ada@example.org"}', '{"token": "5f0c"}', '{"is_new": true}', '{"id": null}', '{"ids": [1]}',
            '{"of": {"id": 1}}', "[1]", '"ada"', '{"id": "5F0C0000-0000-7000-8000-00000000c000"}',
        ],
    )  # fmt: skip
    def test_are_refused_by_the_database_unless_they_are_ids(self, database: Settings, arguments: str) -> None:
        insert = "INSERT INTO jobs.procrastinate_jobs (queue_name, task_name, args) VALUES ('q', 't', %s::jsonb)"
        with (
            psycopg.connect(database.database.role_url("app"), options="-c search_path=app,jobs") as connection,
            pytest.raises(psycopg.errors.CheckViolation, match="args_are_ids"),
        ):
            connection.execute(insert, (arguments,))


@pytest.mark.usefixtures("without_backoff")
class TestJobWorker:
    async def test_runs_a_job_with_its_ids(self, container: Container, db: Database) -> None:
        probe, campaign = Probe(), uuid4()
        async with db.session() as session:
            await defer(session, probe.job, campaign_id=campaign, number=7)
        await work(container, probe, until=[("succeeded", 1)])
        assert probe.ran == [(campaign, 7)]

    async def test_retries_a_job_that_fails(self, container: Container, db: Database) -> None:
        probe = Probe(failures=2)
        async with db.session() as session:
            await defer(session, probe.job, campaign_id=uuid4(), number=1)
        await work(container, probe, until=[("succeeded", 3)])

    async def test_gives_up_after_the_last_attempt(self, container: Container, db: Database) -> None:
        probe = Probe(failures=9, attempts_max=3)
        async with db.session() as session:
            await defer(session, probe.job, campaign_id=uuid4(), number=1)
        await work(container, probe, until=[("failed", 3)])
        assert len(probe.ran) == 3

    async def test_ignores_jobs_that_it_does_not_have(self, container: Container, db: Database) -> None:
        """They belong to another domain or version and wait for a worker that has them."""
        other, probe = Probe(), Probe()
        async with db.session() as session:
            await defer(session, other.job, campaign_id=uuid4(), number=1)
            await defer(session, probe.job, campaign_id=uuid4(), number=1)
        await work(container, probe, until=[("succeeded", 1)])
        assert await rows(db, other.name) == [("todo", 0)]

    async def test_runs_a_periodic_job_that_was_missed_once(self, container: Container, db: Database) -> None:
        """Two workers start after it was due, and one of them runs it."""
        name, ran = Probe().name, asyncio.Event()

        async def note(_: KernelContainer) -> None:
            ran.set()

        job = Job(name=name, run=note, cron="0 0 * * 0")
        loops = [loop for _ in range(2) for loop in JobWorker[Container](container, [job]).loops]
        async with Background(db, loops):
            await asyncio.wait_for(ran.wait(), 60)
            for _ in range(TRIES):
                if await rows(db, name) == [("succeeded", 1)]:
                    break
                await asyncio.sleep(0.02)
        assert await rows(db, name) == [("succeeded", 1)]


CAMPAIGN = uuid4()


class TestRetryStalled:
    async def stall(self, db: Database, probe: Probe, *, attempts: int = 0, seen_s_ago: float | None = None) -> None:
        """Store a job in the state after its worker was killed; without `seen_s_ago` the worker's row is removed."""
        async with db.session() as session:
            await defer(session, probe.job, campaign_id=CAMPAIGN, number=1)
            worker_id = None
            if seen_s_ago is not None:
                worker_id = await session.scalar(
                    text(
                        "INSERT INTO jobs.procrastinate_workers (last_heartbeat) "
                        "VALUES (now() - make_interval(secs => :s)) RETURNING id"
                    ),
                    {"s": seen_s_ago},
                )
            await session.execute(
                text(
                    "UPDATE jobs.procrastinate_jobs SET status = 'doing', worker_id = :w, attempts = :a "
                    "WHERE task_name = :n"
                ),
                {"w": worker_id, "n": probe.name, "a": attempts},
            )

    async def retry(self, container: Container, probe: Probe) -> int:
        return await JobWorker[Container](container, [probe.job]).retry_stalled(container.database)

    @pytest.mark.parametrize("seen_s_ago", [31.0, None])
    async def test_retries_a_job_whose_worker_has_ended(
        self, container: Container, db: Database, seen_s_ago: float | None
    ) -> None:
        probe = Probe()
        await self.stall(db, probe, seen_s_ago=seen_s_ago)
        assert await self.retry(container, probe) == 1
        assert await rows(db, probe.name) == [("todo", 1)]
        assert await self.retry(container, probe) == 0
        await work(container, probe, until=[("succeeded", 2)])

    async def test_a_job_that_ended_its_worker_each_time_fails(self, container: Container, db: Database) -> None:
        probe = Probe(attempts_max=3)
        await self.stall(db, probe, attempts=2)
        await self.retry(container, probe)
        assert await rows(db, probe.name) == [("failed", 3)]

    async def test_a_job_fails_if_an_equal_one_is_queued_and_the_others_are_retried(
        self, container: Container, db: Database
    ) -> None:
        unique, probe = Probe(is_unique=True), Probe()
        await self.stall(db, unique)
        async with db.session() as session:
            assert await defer(session, unique.job, campaign_id=CAMPAIGN, number=1)
        await self.stall(db, probe)
        worker = JobWorker[Container](container, [unique.job, probe.job])
        assert await worker.retry_stalled(container.database) == 2
        assert await rows(db, unique.name) == [("failed", 1), ("todo", 0)]
        assert await rows(db, probe.name) == [("todo", 1)]

    async def test_ignores_the_job_of_a_running_worker(self, container: Container, db: Database) -> None:
        probe = Probe()
        await self.stall(db, probe, seen_s_ago=1)
        assert await self.retry(container, probe) == 0
        assert await rows(db, probe.name) == [("doing", 0)]

    async def test_several_workers_retry_a_job_once(self, container: Container, db: Database) -> None:
        probe = Probe()
        await self.stall(db, probe)
        assert sum(await asyncio.gather(*(self.retry(container, probe) for _ in range(4)))) == 1
        assert await rows(db, probe.name) == [("todo", 1)]


class TestJob:
    def test_a_declaration_is_checked(self) -> None:
        async def by_position(container: KernelContainer, campaign_id: UUID) -> None: ...

        async def with_ids(container: KernelContainer, *, campaign_id: UUID) -> None: ...

        with pytest.raises(AssertionError, match="passed by name"):
            Job(name="wrong", run=by_position)
        with pytest.raises(AssertionError, match="takes no ids"):
            Job(name="wrong", run=with_ids, cron="* * * * *")
        with pytest.raises(AssertionError, match="snake case"):
            Job(name="Wrong-name", run=with_ids)
