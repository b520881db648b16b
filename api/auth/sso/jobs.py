"""The job that deletes what sign-on needs only for a short time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from api.kernel.jobs import Job

if TYPE_CHECKING:
    from api.kernel.container import KernelContainer

_DELETE_CODES = text(
    """
    DELETE FROM app.sign_on_codes AS c
    WHERE c.id = ANY (ARRAY(SELECT x.id FROM app.sign_on_codes AS x WHERE x.expires_at < now() LIMIT :rows_max))
    """
)
_DELETE_LOGOUT_TOKENS = text(
    """
    DELETE FROM app.logout_tokens AS t
    WHERE t.ctid = ANY (ARRAY(SELECT x.ctid FROM app.logout_tokens AS x WHERE x.expires_at < now() LIMIT :rows_max))
    """
)


async def delete_expired_sign_ons(container: KernelContainer) -> int:
    """Delete codes and log-out tokens that have expired; returns how many."""
    codes = await container.database.delete_in_parts(_DELETE_CODES)
    return codes + await container.database.delete_in_parts(_DELETE_LOGOUT_TOKENS)


DELETE_EXPIRED = Job(name="delete_expired_sign_ons", run=delete_expired_sign_ons, cron="27 * * * *")
