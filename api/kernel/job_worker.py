"""Runs jobs in a worker process, and retries jobs whose worker has ended."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic

import psycopg
import structlog
from procrastinate import App, PsycopgConnector, RetryStrategy
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from api.kernel.background import Loop
from api.kernel.jobs import Job, Needs_contra, as_ids

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database

log = structlog.get_logger(__name__)

AT_ONCE = 4
STOP_S = 4.0  # the time that running jobs have to end when the worker stops; then they are cancelled, and retried later
PAUSE_S = 5.0
POLL_S = 5.0  # between looks for jobs that are due only now, such as retries; PostgreSQL notifies of new ones
HEARTBEAT_S = 10.0
STALLED_AFTER_S = 30.0
BACKOFF_S = 4
# Periodic jobs that were due while no worker ran are deferred at the next start.
MISSED_S_MAX = 8 * 86400

_NOT_AWAITED = " -c synchronous_commit=off"

_TRY_LOCK = text("SELECT pg_try_advisory_xact_lock(:lock)")
_LOCK = 0x1DEA0003
_FIND_STALLED = text(
    """
    SELECT j.id, j.task_name, j.attempts
    FROM jobs.procrastinate_jobs AS j
    LEFT JOIN jobs.procrastinate_workers AS w ON w.id = j.worker_id
    WHERE j.status = 'doing' AND j.task_name = ANY (:names)
        AND (w.id IS NULL OR w.last_heartbeat < clock_timestamp() - make_interval(secs => :stalled_after_s))
    ORDER BY j.id
    FOR UPDATE OF j SKIP LOCKED
    """
)
_RETRY = text("SELECT jobs.procrastinate_retry_job_v2(:id, now(), NULL, NULL, NULL)")
_FAIL = text("SELECT jobs.procrastinate_finish_job_v1(:id, 'failed', false)")


async def _retry(session: AsyncSession, job_id: int) -> bool:
    """Queue a job again; False if an equal one is queued."""
    try:
        async with session.begin_nested():
            await session.execute(_RETRY, {"id": job_id})
    except IntegrityError as error:
        if not isinstance(error.orig, psycopg.errors.UniqueViolation):
            raise
        return False
    return True


class JobWorker(Generic[Needs_contra]):
    """Runs the given jobs and no others: jobs of other domains and other versions wait for a worker that has them."""

    def __init__(self, container: Needs_contra, jobs: Sequence[Job[Needs_contra, ...]]) -> None:
        """Each job's function receives `container`."""
        self._container = container
        self._jobs = {job.name: job for job in jobs}
        assert len(self._jobs) == len(jobs), "names of jobs are unique"
        database = container.database
        # A state of a job that a crash of the server loses is one after which the job runs again, as it may in any case. What
        # the job itself writes is durable before it goes on.
        connect_args = database.connect_args | {"options": database.connect_args["options"] + _NOT_AWAITED}
        self._app = App(
            connector=PsycopgConnector(conninfo=database.url, kwargs=connect_args, min_size=1, max_size=2, name="jobs"),
            periodic_defaults={"max_delay": MISSED_S_MAX},
        )
        for job in jobs:
            self._register(job)

    @property
    def loops(self) -> tuple[Loop, ...]:
        """The loops of a worker that run jobs."""
        return (
            Loop(name="jobs", run=self._run, pause_s=PAUSE_S),
            Loop(name="jobs-stalled", run=self.retry_stalled, pause_s=STALLED_AFTER_S),
        )

    async def _run(self, _: Database) -> None:
        """Run jobs until cancelled, or until the queue cannot be read."""
        async with self._app.open_async():
            await self._app.run_worker_async(
                queues=list(self._jobs),
                concurrency=AT_ONCE,
                fetch_job_polling_interval=POLL_S,
                shutdown_graceful_timeout=STOP_S,
                install_signal_handlers=False,
                update_heartbeat_interval=HEARTBEAT_S,
                stalled_worker_timeout=STALLED_AFTER_S,
            )

    async def retry_stalled(self, database: Database) -> int:
        """Retry jobs whose worker has not been seen for `STALLED_AFTER_S`; returns how many were found.

        A job that has used all its attempts is marked as failed: the job itself may have ended its process. So is one that
        cannot be queued again, since an equal one is queued.
        """
        async with database.session() as session:
            if not await session.scalar(_TRY_LOCK, {"lock": _LOCK}):
                return 0
            values = {"names": list(self._jobs), "stalled_after_s": STALLED_AFTER_S}
            stalled = (await session.execute(_FIND_STALLED, values)).all()
            for row in stalled:
                is_retried = row.attempts + 1 < self._jobs[row.task_name].attempts_max and await _retry(session, row.id)
                if not is_retried:
                    await session.execute(_FAIL, {"id": row.id})
                log.warning("stalled job", job=row.task_name, id=row.id, attempts=row.attempts + 1, retried=is_retried)
        return len(stalled)

    def _register(self, job: Job[Needs_contra, ...]) -> None:
        async def run(**arguments: Any) -> None:
            with structlog.contextvars.bound_contextvars(job=job.name):
                await job.run(self._container, **as_ids(arguments))

        async def run_periodic(timestamp: int) -> None:  # noqa: ARG001 (the moment at which it was due)
            await run()

        retries_max = job.attempts_max - 1
        retry = RetryStrategy(max_attempts=retries_max, exponential_wait=BACKOFF_S) if retries_max else False
        if job.cron is None:
            self._app.task(name=job.name, queue=job.name, retry=retry)(run)
        else:
            # a periodic job is neither queued twice nor run twice at the same time
            task = self._app.task(name=job.name, queue=job.name, retry=retry, lock=job.name, queueing_lock=job.name)(
                run_periodic
            )
            self._app.periodic(cron=job.cron)(task)
