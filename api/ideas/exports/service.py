"""Exports of ideas: small ones are written at once, larger ones by a job."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import select, text

from api.ideas.authors import sees_authors
from api.ideas.exports import errors
from api.ideas.exports.models import IdeaExport
from api.ideas.exports.schemas import ExportFormat, ExportRead
from api.ideas.exports.writing import write
from api.ideas.lists.counts import Counts
from api.ideas.lists.pages import find_page
from api.ideas.rows import Reader
from api.kernel import clock
from api.kernel.db import statements_of
from api.kernel.ids import uuid7
from api.kernel.jobs import Job, defer
from api.kernel.permissions import Permission

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.dependencies import Access
    from api.campaigns.models import Campaign
    from api.ideas.lists.grammar import Query

DIRECT_MAX = 10_000
"""The most ideas that a request exports itself."""
KEPT = timedelta(days=1)
WRITTEN_WITHIN = timedelta(hours=1)
UNFINISHED_MAX = 5
"""The most exports of one person that are written at a time."""
_AT_ONCE = 2_000
_ORDER: Final = "newest"
_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:owner, 0))")


@dataclass(frozen=True)
class Rights:
    """What the reader of an export may see beyond what every reader of the campaign sees."""

    sees_all: bool
    sees_authors: bool

    def include(self, others: dict[str, Any]) -> bool:
        """Whether a reader with these rights may see what was written with `others`."""
        mine = asdict(self)
        return all(mine.get(name, False) for name, had in others.items() if had)


def rights_of(access: Access) -> Rights:
    """The rights of the caller now."""
    return Rights(sees_all=access.may(Permission.VIEW_ALL_IDEAS), sees_authors=sees_authors(access))


async def count_ideas(session: AsyncSession, campaign: Campaign, query: Query, rights: Rights, *, user_id: UUID) -> int:
    """The number of ideas that an export would have."""
    found = await find_page(
        await statements_of(session), campaign, Reader(user_id=user_id, **asdict(rights)), query.filter, Counts(),
        at=clock.now(), sort=_ORDER, limit=1,
    )  # fmt: skip
    return found.total


async def write_ideas(
    session: AsyncSession,
    campaign: Campaign,
    query: Query,
    rights: Rights,
    *,
    user_id: UUID,
    format: ExportFormat,  # noqa: A002 - the name in requests
) -> tuple[bytes, int]:
    """The file of the ideas that the user may see, by default newest first, and their number."""
    statements, reader = await statements_of(session), Reader(user_id=user_id, **asdict(rights))
    at = clock.now()
    parts: list[str] = []
    after = None
    while True:
        found = await find_page(
            statements, campaign, reader, query.filter, None,
            at=at, sort=query.sort or _ORDER, seed=query.seed, limit=_AT_ONCE, after=after,
        )  # fmt: skip
        parts += [found.items] if found.items else []
        if found.last is None:
            break
        after = found.last
    return await asyncio.to_thread(_write, format, parts)


def _write(format: ExportFormat, parts: list[str]) -> tuple[bytes, int]:  # noqa: A002 - the name in requests
    ideas = [idea for part in parts for idea in orjson.loads(f"[{part}]")]
    return write(format, ideas), len(ideas)


async def request_export(
    session: AsyncSession,
    access: Access,
    query: Query,
    format: ExportFormat,  # noqa: A002 - the name in requests
    job: Job[Any, ...],
) -> IdeaExport:
    """Have a job write an export for the caller. An equal one that is still being written is returned instead.

    Raises:
        TooManyExports: as many exports of the caller are being written.
    """
    owner_id, now = access.caller.user_id, clock.now()
    await session.execute(_LOCK, {"owner": f"idea-exports:{owner_id}"})
    wanted = {
        "campaign_id": access.campaign.id,
        "requested_by": owner_id,
        "format": format.value,
        "query": str(query),
        "rights": asdict(rights_of(access)),
    }
    # a job that has not written its file for so long has failed
    unfinished = (
        await session.scalars(
            select(IdeaExport)
            .where(
                IdeaExport.requested_by == owner_id,
                IdeaExport.finished_at.is_(None),
                IdeaExport.requested_at > now - WRITTEN_WITHIN,
            )
            .order_by(IdeaExport.requested_at.desc())
        )
    ).all()
    for running in unfinished:
        if all(getattr(running, name) == value for name, value in wanted.items()):
            return running
    if len(unfinished) >= UNFINISHED_MAX:
        msg = f"{len(unfinished)} of your exports are being written; request this one when they are ready."
        raise errors.TooManyExports(msg)
    export = IdeaExport(id=uuid7(), requested_at=now, expires_at=now + KEPT, **wanted)
    session.add(export)
    await session.flush()
    await defer(session, job, export_id=export.id)
    return export


async def get_export(session: AsyncSession, campaign_id: UUID, export_id: UUID, *, owner_id: UUID) -> IdeaExport:
    """An export of the campaign that this person has requested, and that has not expired.

    Raises:
        ExportNotFound: there is none.
    """
    export: IdeaExport | None = await session.scalar(
        select(IdeaExport).where(
            IdeaExport.id == export_id,
            IdeaExport.campaign_id == campaign_id,
            IdeaExport.requested_by == owner_id,
            IdeaExport.expires_at > clock.now(),
        )
    )
    if export is None:
        msg = "You have no export of this campaign with this id; it may have expired."
        raise errors.ExportNotFound(msg)
    return export


def check_readable(export: IdeaExport, access: Access) -> str:
    """Check that the caller may read the file now; returns its key.

    Raises:
        ExportNotReady: it is still being written.
        ExportOutdated: it was written with rights that the caller has lost.
    """
    if not rights_of(access).include(export.rights):
        msg = "The file was written with rights that you do not have any more; request a new one."
        raise errors.ExportOutdated(msg)
    if export.key is None:
        msg = "The file is still being written; try again shortly."
        raise errors.ExportNotReady(msg)
    return export.key


def as_read(export: IdeaExport) -> ExportRead:
    """The response for an export."""
    is_ready = export.key is not None
    path = f"/campaigns/{export.campaign_id}/ideas/exports/{export.id}/content"
    return ExportRead(
        id=export.id,
        campaign_id=export.campaign_id,
        format=ExportFormat(export.format),
        status="ready" if is_ready else "running",
        requested_at=export.requested_at,
        expires_at=export.expires_at,
        ideas=export.ideas,
        size_bytes=export.size_bytes,
        download_path=path if is_ready else None,
    )
