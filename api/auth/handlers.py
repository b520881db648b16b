"""Jobs of auth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from api.auth.account_mails import DELETE_OLD, SEND
from api.auth.api_tokens.service import DELETE_ENDED
from api.auth.revocations import COMMIT_S_MAX, KEPT_S
from api.auth.second_factors.challenges import DELETE_OLD as DELETE_OLD_CHALLENGES
from api.auth.sso.jobs import DELETE_EXPIRED
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
_DELETE_REVOCATIONS = text(
    """
    DELETE FROM app.token_revocations AS r
    WHERE r.id = ANY (ARRAY(
        SELECT x.id FROM app.token_revocations AS x WHERE x.revoked_at < now() - make_interval(secs => :kept_s)
        LIMIT :rows_max
    ))
    """
)


async def delete_ended_sessions(container: KernelContainer) -> int:
    """Delete sessions that ended more than 30 days ago, with their refresh tokens; returns how many."""
    return await container.database.delete_in_parts(_DELETE, kept_days=SESSIONS_KEPT_DAYS)


async def delete_old_revocations(container: KernelContainer) -> int:
    """Delete the revocations of tokens that have expired; returns how many."""
    return await container.database.delete_in_parts(_DELETE_REVOCATIONS, kept_s=KEPT_S + COMMIT_S_MAX)


JOBS = (
    Job(name="delete_ended_sessions", run=delete_ended_sessions, cron="37 1 * * *"),
    SEND,
    DELETE_OLD,
    DELETE_OLD_CHALLENGES,
    DELETE_ENDED,
    Job(name="delete_old_revocations", run=delete_old_revocations, cron="17 * * * *"),
    DELETE_EXPIRED,
)
