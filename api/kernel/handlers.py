"""Jobs of the kernel, which delete expired rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from api.kernel.jobs import Job

if TYPE_CHECKING:
    from api.kernel.container import KernelContainer

RESPONSES_KEPT_DAYS = 7
FINISHED_JOBS_KEPT_DAYS = 7

_DELETE_RESPONSES = text(
    """
    DELETE FROM app.idempotent_responses AS r
    WHERE r.ctid = ANY (ARRAY(
        SELECT x.ctid FROM app.idempotent_responses AS x
        WHERE x.created_at < now() - make_interval(days => :kept_days)
        LIMIT :rows_max
    ))
    """
)
_DELETE_JOBS = text(
    """
    DELETE FROM jobs.procrastinate_jobs AS j
    WHERE j.id = ANY (ARRAY(
        SELECT x.id FROM jobs.procrastinate_jobs AS x
        WHERE x.status NOT IN ('todo', 'doing') AND NOT EXISTS (
            SELECT FROM jobs.procrastinate_events AS e
            WHERE e.job_id = x.id AND e.at >= now() - make_interval(days => :kept_days)
        )
        LIMIT :rows_max
    ))
    """
)


async def delete_expired_responses(container: KernelContainer) -> int:
    """Delete responses that were stored for an Idempotency-Key more than 7 days ago; returns how many."""
    return await container.database.delete_in_parts(_DELETE_RESPONSES, kept_days=RESPONSES_KEPT_DAYS)


async def delete_finished_jobs(container: KernelContainer) -> int:
    """Delete jobs that ended more than 7 days ago, succeeded or failed; returns how many."""
    return await container.database.delete_in_parts(_DELETE_JOBS, kept_days=FINISHED_JOBS_KEPT_DAYS)


JOBS = (
    Job(name="delete_expired_responses", run=delete_expired_responses, cron="17 1 * * *"),
    Job(name="delete_finished_jobs", run=delete_finished_jobs, cron="27 1 * * *"),
)
