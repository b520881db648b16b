"""Jobs of auth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from api.kernel.jobs import Job

if TYPE_CHECKING:
    from api.kernel.container import KernelContainer

# kept after their end, so that the reuse of an old refresh token is recognised
SESSIONS_KEPT_DAYS = 30

_DELETE = text(
    """
    DELETE FROM app.sessions AS s
    WHERE s.id = ANY (ARRAY(
        SELECT x.id FROM app.sessions AS x
        WHERE greatest(x.expires_at, x.revoked_at) < now() - make_interval(days => :kept_days)
        LIMIT :rows_max
    ))
    """
)


async def delete_ended_sessions(container: KernelContainer) -> int:
    """Delete sessions that ended more than 30 days ago, with their refresh tokens; returns how many."""
    return await container.database.delete_in_parts(_DELETE, kept_days=SESSIONS_KEPT_DAYS)


JOBS = (Job(name="delete_ended_sessions", run=delete_ended_sessions, cron="37 1 * * *"),)
