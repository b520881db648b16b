"""The versions of the text of an idea, and their differences."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rapidfuzz.distance import Indel
from sqlalchemy import func, select

from api.ideas import errors
from api.ideas.labels import CATEGORY, TAG, list_labels, names_of
from api.ideas.models import Idea, IdeaStatusChange, IdeaVersion
from api.ideas.steps import Status

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.labels import Label

# a word with the white space after it, or white space at the beginning of the text
_WORDS = re.compile(r"\S+\s*|\s+")

Operation = Literal["equal", "insert", "delete"]


@dataclass(frozen=True)
class Part:
    """A part of a text that both versions have, or only the later or only the earlier one."""

    operation: Operation
    text: str


def diff_words(earlier: str, later: str) -> list[Part]:
    """The shortest difference of two texts by words, in order; what is replaced comes before its replacement.

    The equal and deleted parts are the earlier text, and the equal and inserted parts are the later one.
    """
    before, after = _WORDS.findall(earlier), _WORDS.findall(later)
    parts: list[Part] = []
    for step in Indel.opcodes(before, after):
        if step.tag == "insert":
            parts.append(Part("insert", "".join(after[step.dest_start : step.dest_end])))
            continue
        operation: Operation = "delete" if step.tag == "delete" else "equal"
        part = Part(operation, "".join(before[step.src_start : step.src_end]))
        is_replacement = operation == "delete" and parts and parts[-1].operation == "insert"
        parts.insert(len(parts) - 1 if is_replacement else len(parts), part)
    return parts


async def find_unstored(session: AsyncSession, idea: Idea) -> IdeaVersion | None:
    """The present text of an idea as a version to add before a change; None if it is stored.

    Ideas that were never edited have no stored version, which would double their texts.
    """
    if await _find(session, idea.id, idea.version) is not None:
        return None
    return _of_present(idea, await list_labels(session, idea.id))


async def add_version(
    session: AsyncSession,
    idea: Idea,
    *,
    at: datetime,
    actor_id: UUID,
    earlier: IdeaVersion | None,
    reason: str | None = None,
    restored_from: int | None = None,
) -> None:
    """Store the text of an idea that has just been changed, and the `earlier` one, if it was not stored.

    `idea.version` is already that of the new text.
    """
    if earlier is not None:
        session.add(earlier)
    version = _of_present(idea, await list_labels(session, idea.id))
    version.created_at, version.created_by = at, actor_id
    version.reason, version.restored_from = reason, restored_from
    session.add(version)
    await session.flush()


async def find_first_shown(session: AsyncSession, idea: Idea) -> int:
    """The version that was approved: callers who do not see pending ideas do not see what was changed before."""
    approved_at = (
        select(func.min(IdeaStatusChange.changed_at))
        .where(IdeaStatusChange.idea_id == idea.id, IdeaStatusChange.to_status == Status.COMPETING)
        .scalar_subquery()
    )
    found: int | None = await session.scalar(
        select(func.max(IdeaVersion.version)).where(
            IdeaVersion.idea_id == idea.id, IdeaVersion.created_at <= approved_at
        )
    )
    return found or 1


async def list_versions(
    session: AsyncSession, idea: Idea, *, first: int = 1, limit: int, after: tuple[int] | None
) -> list[IdeaVersion]:
    """The versions of an idea from `first` on, newest first, those below the version `after`."""
    query = (
        select(IdeaVersion)
        .where(IdeaVersion.idea_id == idea.id, IdeaVersion.version >= first)
        .order_by(IdeaVersion.version.desc())
        .limit(limit)
    )
    if after:
        query = query.where(IdeaVersion.version < after[0])
    found: Sequence[IdeaVersion] = (await session.scalars(query)).all()
    if found or after:
        return list(found)
    return [_of_present(idea, await list_labels(session, idea.id))]


async def find_version_at(session: AsyncSession, idea: Idea, at: datetime, *, first: int = 1) -> IdeaVersion | None:
    """The version of the text at a moment, from `first` on; None if it was never edited since or is not kept."""
    found: IdeaVersion | None = await session.scalar(
        select(IdeaVersion)
        .where(IdeaVersion.idea_id == idea.id, IdeaVersion.created_at <= at, IdeaVersion.version >= first)
        .order_by(IdeaVersion.version.desc())
        .limit(1)
    )
    return found


async def get_version(session: AsyncSession, idea: Idea, version: int, *, first: int = 1) -> IdeaVersion:
    """A version of an idea, from `first` on.

    Raises:
        VersionNotFound: the idea has no version with this number, or its text is older than the versions that are kept.
    """
    found = await _find(session, idea.id, version) if version >= first else None
    if found is None and version == idea.version:
        found = _of_present(idea, await list_labels(session, idea.id))
    if found is None:
        msg = f"The idea has no stored version {version}; its newest one is {idea.version}."
        raise errors.VersionNotFound(msg, newest=idea.version)
    return found


async def _find(session: AsyncSession, idea_id: UUID, version: int) -> IdeaVersion | None:
    found: IdeaVersion | None = await session.scalar(
        select(IdeaVersion).where(IdeaVersion.idea_id == idea_id, IdeaVersion.version == version)
    )
    return found


def _of_present(idea: Idea, found: Sequence[Label]) -> IdeaVersion:
    """The present text as a version, written by the author at the submission if it was never edited."""
    is_first = idea.version == 1
    return IdeaVersion(
        idea_id=idea.id,
        version=idea.version,
        title=idea.title,
        description=idea.description,
        categories=names_of(found, CATEGORY),
        tags=names_of(found, TAG),
        created_at=idea.submitted_at if is_first else idea.updated_at,
        created_by=idea.author_id if is_first else idea.updated_by,
    )
