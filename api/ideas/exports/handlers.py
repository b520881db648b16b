"""The jobs that write exports of ideas and delete them a day later."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select, text, update

from api.campaigns import service as campaigns
from api.ideas.exports.models import IdeaExport
from api.ideas.exports.schemas import ExportFormat
from api.ideas.exports.service import KEPT, Rights, write_ideas
from api.ideas.lists.grammar import parse
from api.kernel import clock
from api.kernel.jobs import Job
from api.kernel.storage import delete_unused, new_key

if TYPE_CHECKING:
    from uuid import UUID

    from api.kernel.container import KernelContainer

PREFIX = "exports"
_STATEMENT_TIMEOUT = text("SET LOCAL statement_timeout = 120000")


async def write_export(container: KernelContainer, *, export_id: UUID) -> None:
    """Write the file of an export, from one snapshot of the database. A finished or expired export is left as it is."""
    async with container.database.snapshot() as session:
        await session.execute(_STATEMENT_TIMEOUT)
        export = await session.get(IdeaExport, export_id)
        if export is None or export.finished_at is not None or export.expires_at <= clock.now():
            return
        data, ideas = await write_ideas(
            session,
            await campaigns.get_campaign(session, export.campaign_id),
            parse(export.query),
            Rights(**export.rights),
            user_id=export.requested_by,
            format=ExportFormat(export.format),
        )
    key = new_key(PREFIX)
    await container.storage.put(key, data)
    async with container.database.session() as session:
        await session.execute(
            update(IdeaExport)
            .where(IdeaExport.id == export_id, IdeaExport.finished_at.is_(None))
            .values(finished_at=clock.now(), key=key, ideas=ideas, size_bytes=len(data))
        )


async def delete_expired_exports(container: KernelContainer) -> int:
    """Delete exports that have expired, and stored files to which no export refers; returns the number of files."""
    async with container.database.session() as session:
        await session.execute(delete(IdeaExport).where(IdeaExport.expires_at <= clock.now()))

    async def find_used(keys: list[str]) -> set[str | None]:
        async with container.database.reading() as session:
            return set(await session.scalars(select(IdeaExport.key).where(IdeaExport.key.in_(keys))))

    return await delete_unused(container.storage, PREFIX, clock.now() - KEPT, find_used)


WRITE_EXPORT = Job(name="write_idea_export", run=write_export)
JOBS = (WRITE_EXPORT, Job(name="delete_expired_exports", run=delete_expired_exports, cron="17 * * * *"))
