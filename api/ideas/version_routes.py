"""Routes of the versions of an idea's text."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import Depends, Path, Query
from pydantic import Field

from api.auth import service as auth
from api.campaigns.errors import CampaignNotActive
from api.coins import service as coins
from api.coins.reading.idea_movements import find_last_stake
from api.ideas import errors, service, versions
from api.ideas.authors import mark_author
from api.ideas.dependencies import IdeaAccess, requires_on_idea
from api.ideas.details import find_first_shown, read_idea
from api.ideas.material import find_marks
from api.ideas.schemas import IdeaDetail, Reason
from api.kernel.contract import raises
from api.kernel.permissions import Permission
from api.kernel.schemas import Page, ResponseModel, Schema
from api.kernel.web import DryRun, PageQuery, Session
from api.kernel.web import router as new_router

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.ideas.models import IdeaVersion

router = new_router("", "ideas")
CHANGES_MAX = 50
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
    by_author: bool = Field(default=False, description="the author of the idea wrote it, who may be anonymous")
    reason: str | None = Field(description="why a manager, or the author, changed it")
    restored_from: int | None = Field(description="the earlier version that this one repeats")
    is_material: bool = Field(default=False, description="a manager has marked it as a material edit")
    material_reason: str | None = Field(None, description="why it is material")
    grace_until: datetime | None = Field(
        None, description="of a material edit: until when backers could take their coins back; null if there were none"
    )


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


class MaterialMark(Schema):
    """Why the edit is material, for the backers of the idea."""

    reason: Reason


class ChangesSinceStake(ResponseModel):
    """What changed since I last put coins on the idea; without coins of mine, there is no earlier version."""

    my_stake_coins: int
    put_at: datetime | None = Field(description="when I last put coins on the idea; null if I never did")
    free_coins: int = Field(
        description="my coins that I may take back or move until grace_until, whatever the policy says"
    )
    grace_until: datetime | None = Field(description="of a material edit; null if no such time is running")
    versions: list[VersionRead] = Field(
        description=f"the versions since then, newest first, at most {CHANGES_MAX}; empty if the text did not change"
    )
    diff: VersionDiff = Field(description="from the version on which I put coins to the present one")


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
        first=await find_first_shown(session, access),
        limit=paging.limit + 1,
        after=paging.after(int),
    )
    return paging.page(await _read_all(session, access, found), key=lambda version: [version.version])


@router.get("/ideas/{idea_id}/versions/{version}", operation_id="getIdeaVersion")
@raises(errors.VersionNotFound)
async def get(session: Session, access: _Reader, version: Number) -> VersionRead:
    """One version of the idea's text."""
    first = await find_first_shown(session, access)
    (found,) = await _read_all(
        session, access, [await versions.get_version(session, access.idea, version, first=first)]
    )
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
    first = await find_first_shown(session, access)
    later = await versions.get_version(session, access.idea, version, first=first)
    earlier = await versions.get_version(session, access.idea, against or max(version - 1, first), first=first)
    return _diff(earlier, later)


@router.post("/ideas/{idea_id}/versions/{version}/material", operation_id="markVersionMaterial")
@raises(errors.NotMarkable)
async def mark_material(
    session: Session,
    access: Annotated[IdeaAccess, Depends(requires_on_idea(Permission.MANAGE_IDEAS))],
    version: Number,
    body: MaterialMark,
    dry_run: DryRun,  # noqa: ARG001
) -> VersionRead:
    """Mark the latest edit of a competing idea as material, once: it changes what backers have put coins on.

    For `grace_h` of the coin policy, backers may take the coins that are on the idea now, whatever the policy's other fields and
    dates say, and the idea keeps its status.
    """
    actor_id = access.campaign.caller.user_id
    await service.mark_version(session, access.idea, version, actor_id=actor_id, reason=body.reason)
    (found,) = await _read_all(session, access, [await versions.get_version(session, access.idea, version)])
    return found


@router.get("/ideas/{idea_id}/changes-since-my-stake", operation_id="getChangesSinceMyStake")
async def changes_since_my_stake(session: Session, access: _Reader) -> ChangesSinceStake:
    """What was changed of the idea's text since I last put coins on it, and the coins that I may take back because of it."""
    user_id = access.campaign.caller.user_id
    stake = await find_last_stake(session, access.idea.id, user_id=user_id)
    grace = await coins.find_grace(session, access.idea.id, user_id=user_id)
    first = await find_first_shown(session, access)
    later = await versions.get_version(session, access.idea, access.idea.version, first=first)
    earlier = later
    if stake is not None:
        earlier = await versions.find_version_at(session, access.idea, stake.put_at, first=first) or later
    newer = await versions.list_versions(
        session, access.idea, first=earlier.version + 1, limit=CHANGES_MAX, after=(later.version + 1,)
    )
    return ChangesSinceStake(
        my_stake_coins=stake.coins if stake else 0,
        put_at=stake.put_at if stake else None,
        free_coins=grace.free_coins if grace else 0,
        grace_until=grace.until if grace else None,
        versions=await _read_all(session, access, newer),
        diff=_diff(earlier, later),
    )


async def _read_all(session: AsyncSession, access: IdeaAccess, found: Sequence[IdeaVersion]) -> list[VersionRead]:
    """The responses for versions, with their marks and the names that the caller may see."""
    marks = await find_marks(session, access.idea.id)
    shown = []
    for each in found:
        version = VersionRead.model_validate(each)
        if mark := marks.get(each.version):
            version.is_material, version.material_reason, version.grace_until = True, mark.reason, mark.grace_until
        shown.append(version)
    mark_author(access, shown, created_by="by_author")
    await auth.add_names(session, shown, created_by="created_by_name")
    return shown


def _diff(earlier: IdeaVersion, later: IdeaVersion) -> VersionDiff:
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


def _parts(earlier: str, later: str) -> list[PartRead]:
    return [PartRead.model_validate(part) for part in versions.diff_words(earlier, later)]


def _names(earlier: list[str], later: list[str]) -> NamesChange:
    return NamesChange(
        added=[name for name in later if name not in earlier], removed=[name for name in earlier if name not in later]
    )
