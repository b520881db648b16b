"""The job that deletes stored objects to which neither an attachment nor a cover refers."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from api.attachments.models import AttachmentObject
from api.attachments.service import PREFIX
from api.campaigns import service as campaigns
from api.kernel import clock
from api.kernel.jobs import Job
from api.kernel.storage import delete_unused

if TYPE_CHECKING:
    from api.kernel.container import KernelContainer

KEPT = timedelta(days=1)
"""An upload stores its objects before the transaction of their rows; no upload takes that long."""


async def delete_unused_objects(container: KernelContainer) -> int:
    """Delete objects that were stored more than a day ago and belong to no attachment and no cover; returns how many."""

    async def find_used(keys: list[str]) -> set[str]:
        async with container.database.reading() as session:
            attached = await session.scalars(select(AttachmentObject.key).where(AttachmentObject.key.in_(keys)))
            return {*attached, *await campaigns.find_used_keys(session, keys)}

    return await delete_unused(container.storage, PREFIX, clock.now() - KEPT, find_used)


JOBS = (Job(name="delete_unused_objects", run=delete_unused_objects, cron="47 1 * * *"),)
