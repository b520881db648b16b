"""Routes of the versions of an idea's text."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import Depends, Path, Query
from pydantic import Field

from api.auth import service as auth
from api.campaigns.errors import CampaignNotActive
from api.ideas import errors, service, versions
from api.ideas.dependencies import IdeaAccess, requires_on_idea
from api.ideas.details import read_idea
from api.ideas.schemas import IdeaDetail, Reason
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.schemas import Page, ResponseModel, Schema
from api.kernel.web import DryRun, PageQuery, Session
from api.kernel.web import router as new_router

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

router = new_router("", "ideas")
Number = Annotated[int, Path(ge=1, le=2_147_483_647, description="number of the version")]


class VersionRead(ResponseModel):
    """A version of an idea's text."""

    version: int
    title: str
    description: str
    categories: list[str]
    tags: list[str]
    created_at: datetime
    created_by: UUID | None
    created_by_name: str | None = None
    reason: str | None = Field(description="why a manager, or the author, changed it")
    restored_from: int | None = Field(description="the earlier version that this one repeats")


class PartRead(ResponseModel):
    """A part of a text: in both versions, only in the later one, or only in the earlier one."""

    operation: versions.Operation
    text: str


class NamesChange(ResponseModel):
    """Names that only the later version has, and names that only the earlier one has."""

    added: list[str]
    removed: list[str]


class VersionDiff(ResponseModel):
    """The differences between two versions. The parts of a text are in order."""

    from_version: int
    to_version: int
    title: list[PartRead]
    description: list[PartRead]
    categories: NamesChange
    tags: NamesChange


class VersionRestore(Schema):
    """Why the version is restored; managers give a reason for the idea of another person."""

    reason: Reason | None = None


_Reader = Annotated[IdeaAccess, Depends(requires_on_idea(Permission.VIEW_CAMPAIGN))]


@router.get("/ideas/{idea_id}/versions", operation_id="listIdeaVersions")
async def list_all(session: Session, access: _Reader, paging: PageQuery) -> Page[VersionRead]:
    """The versions of the idea's text, newest first. Texts that were replaced before versions were kept are missing.

    Of a mediated campaign, only the author and those who see pending ideas see the versions before the approved one.
    """
    found = await versions.list_versions(
        session,
        access.idea,
        first=await _first_shown(session, access),
        limit=paging.limit + 1,
        after=paging.after(int),
    )
    page = paging.page([VersionRead.model_validate(each) for each in found], key=lambda version: [version.version])
    await auth.add_names(session, page.items, created_by="created_by_name")
    return page


@router.get("/ideas/{idea_id}/versions/{version}", operation_id="getIdeaVersion")
@raises(errors.VersionNotFound)
async def get(session: Session, access: _Reader, version: Number) -> VersionRead:
    """One version of the idea's text."""
    first = await _first_shown(session, access)
    found = VersionRead.model_validate(await versions.get_version(session, access.idea, version, first=first))
    await auth.add_names(session, [found], created_by="created_by_name")
    return found


@router.get("/ideas/{idea_id}/versions/{version}/diff", operation_id="diffIdeaVersions")
@raises(errors.VersionNotFound)
async def diff(
    session: Session,
    access: _Reader,
    version: Number,
    against: Annotated[
        int | None,
        Query(ge=1, le=2_147_483_647, description="the version to compare with; by default the one before"),
    ] = None,
) -> VersionDiff:
    """What changed from the version `against` to this one, by words. The first version is compared with itself."""
    first = await _first_shown(session, access)
    later = await versions.get_version(session, access.idea, version, first=first)
    earlier = await versions.get_version(session, access.idea, against or max(version - 1, first), first=first)
    return VersionDiff(
        from_version=earlier.version,
        to_version=later.version,
        title=_parts(earlier.title, later.title),
        description=_parts(earlier.description, later.description),
        categories=_names(earlier.categories, later.categories),
        tags=_names(earlier.tags, later.tags),
    )


@router.post("/ideas/{idea_id}/versions/{version}/restore", operation_id="restoreIdeaVersion")
@raises(
    errors.VersionNotFound,
    errors.IdeaFixed,
    errors.ReasonMissing,
    errors.IdeaIncomplete,
    errors.TagMissing,
    CampaignNotActive,
)
async def restore(
    session: Session,
    access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.EDIT_IDEA, Permission.MANAGE_IDEAS))],
    version: Number,
    body: VersionRestore,
    dry_run: DryRun,  # noqa: ARG001
) -> IdeaDetail:
    """Make the text of an earlier version the present one, as a new version; the rules are those of an edit.

    Tags that the campaign no longer has are left out. A version that is equal to the present text makes no new version.
    """
    await service.restore_version(
        session,
        access.idea,
        version,
        actor_id=access.campaign.caller.user_id,
        is_manager=access.may(Permission.MANAGE_IDEAS),
        reason=body.reason,
    )
    return await read_idea(session, access.campaign, access.idea.id)


async def _first_shown(session: AsyncSession, access: IdeaAccess) -> int:
    return 1 if access.may(Permission.VIEW_ALL_IDEAS) else await versions.find_first_shown(session, access.idea)


def _parts(earlier: str, later: str) -> list[PartRead]:
    return [PartRead.model_validate(part) for part in versions.diff_words(earlier, later)]


def _names(earlier: list[str], later: list[str]) -> NamesChange:
    return NamesChange(
        added=[name for name in later if name not in earlier], removed=[name for name in earlier if name not in later]
    )
