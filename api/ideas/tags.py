"""The tags that a campaign defines: a hierarchy of at most three levels. Ideas refer to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select, text, update

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import Command
from api.events import idea_payloads
from api.events.service import record_event
from api.ideas import errors
from api.ideas.labels import DefinedTags, get_defined
from api.ideas.models import CampaignTag, Idea, IdeaTag
from api.ideas.steps import Status
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

LEVELS_MAX = 3
TAGS_MAX = 300

# ideas of the campaign that have the name of a tag, but not the tag: their free tag becomes this tag
_ADOPT = text(
    """
    WITH free AS (
        DELETE FROM app.idea_tags AS g USING app.ideas AS i
        WHERE i.id = g.idea_id AND i.campaign_id = :campaign_id AND g.kind <> 'target' AND g.tag_id IS NULL
            AND lower(g.name) = lower(:free_name)
        RETURNING g.idea_id, g.kind
    ), adopted AS (
        INSERT INTO app.idea_tags (idea_id, kind, name, tag_id)
        SELECT DISTINCT f.idea_id, f.kind, :name, CAST(:tag_id AS uuid) FROM free AS f
        ON CONFLICT (idea_id, kind, name) DO UPDATE SET tag_id = excluded.tag_id
        RETURNING idea_id
    )
    SELECT count(DISTINCT a.idea_id) FROM adopted AS a
    """
)
# ideas that have the tag, and beside it a free tag with its new name
_DROP_FREE = text(
    """
    DELETE FROM app.idea_tags AS g USING app.idea_tags AS kept
    WHERE kept.tag_id = :tag_id AND g.idea_id = kept.idea_id AND g.kind = kept.kind AND g.tag_id IS NULL
        AND lower(g.name) = lower(:name)
    """
)
# what has both tags keeps one
_DROP_REPEATED = text(
    """
    DELETE FROM app.idea_tags AS g USING app.idea_tags AS kept
    WHERE g.tag_id = :tag_id AND kept.idea_id = g.idea_id AND kept.kind = g.kind AND kept.tag_id = :into_id
    """
)


async def list_tags(session: AsyncSession, campaign_id: UUID) -> list[tuple[CampaignTag, int]]:
    """The tags of a campaign, each after its parent and with the number of ideas that have it; drafts do not count."""
    counted = await session.execute(
        select(IdeaTag.tag_id, func.count(IdeaTag.idea_id.distinct()))
        .join(Idea, Idea.id == IdeaTag.idea_id)
        .where(Idea.campaign_id == campaign_id, Idea.status != Status.DRAFT, IdeaTag.tag_id.is_not(None))
        .group_by(IdeaTag.tag_id)
    )
    counts = {row[0]: row[1] for row in counted}
    below: dict[UUID | None, list[CampaignTag]] = {}
    for tag in (await get_defined(session, campaign_id)).tags:
        below.setdefault(tag.parent_id, []).append(tag)
    found: list[tuple[CampaignTag, int]] = []
    waiting = list(reversed(below.get(None, [])))
    while waiting:
        tag = waiting.pop()
        found.append((tag, counts.get(tag.id, 0)))
        waiting.extend(reversed(below.get(tag.id, [])))
    return found


async def create_tag(
    session: AsyncSession,
    campaign: Campaign,
    *,
    actor_id: UUID,
    name: str,
    colour: str | None = None,
    parent_id: UUID | None = None,
    is_required: bool = False,
    position: int = 0,
) -> CampaignTag:
    """Define a tag. Free tags and categories of ideas with its name, in any case, become this tag.

    Raises:
        TagNameTaken: the campaign has a tag with this name.
        TagNotFound: the campaign has no tag `parent_id`.
        TagsTooDeep: the parent has the third level, or a group that is required would have a parent.
        TooManyTags: the campaign has the largest number of tags.
    """
    defined = await lock_tags(session, campaign)
    if len(defined.tags) >= TAGS_MAX:
        msg = f"A campaign has at most {TAGS_MAX} tags."
        raise errors.TooManyTags(msg, limit=TAGS_MAX)
    _check_name(defined, name, None)
    tag = CampaignTag(
        id=uuid7(),
        campaign_id=campaign.id,
        parent_id=parent_id,
        level=find_tag(defined, parent_id).level + 1 if parent_id else 1,
        name=name,
        colour=colour,
        is_required=is_required,
        position=position,
        created_by=actor_id,
        updated_by=actor_id,
    )
    _check_place(tag, tag.level)
    session.add(tag)
    await session.flush()
    ideas = await adopt_free(session, tag, tag.name)
    await record_event(
        session,
        idea_payloads.TagCreated(tag_id=tag.id, parent_id=parent_id, ideas=ideas),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    return tag


async def edit_tag(
    session: AsyncSession, campaign: Campaign, tag_id: UUID, changes: dict[str, Any], *, actor_id: UUID
) -> CampaignTag:
    """Change fields of a tag by name. Ideas keep it under its new name, and the tags below it move with it.

    Raises:
        TagNotFound: the campaign has no such tag, or none with the id of the new parent.
        TagNameTaken: the campaign has another tag with the new name.
        TagsTooDeep: the tag would be below itself, or it or a tag below it would have more than three levels.
    """
    defined = await lock_tags(session, campaign)
    tag = find_tag(defined, tag_id)
    changed = [name for name, value in changes.items() if value != getattr(tag, name)]
    if not changed:
        return tag
    if "name" in changed:
        _check_name(defined, changes["name"], tag)
    below = _below(defined, tag)
    for name in changed:
        setattr(tag, name, changes[name])
    parent = find_tag(defined, tag.parent_id) if tag.parent_id else None
    if parent is not None and (parent is tag or parent in below):
        msg = f"The tag {parent.name!r} is below this one, so it cannot be above it."
        raise errors.TagsTooDeep(msg)
    moved = (parent.level + 1 if parent else 1) - tag.level
    _check_place(tag, max(each.level for each in [tag, *below]) + moved)
    for each in [tag, *below]:
        each.level += moved
    tag.updated_by = actor_id
    if "name" in changed:
        await session.execute(_DROP_FREE, {"tag_id": tag.id, "name": tag.name})
    await session.flush()
    if "name" in changed:
        await adopt_free(session, tag, tag.name)
    await record_event(
        session,
        idea_payloads.TagEdited(tag_id=tag.id, changed=tuple(sorted(changed))),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    return tag


async def merge_tags(
    session: AsyncSession, campaign: Campaign, tag_id: UUID, into_id: UUID, *, actor_id: UUID
) -> CampaignTag:
    """Give the ideas of a tag another one instead, and delete the tag. An idea that has both keeps one.

    Raises:
        TagNotFound: the campaign has no such tag.
        TagsTooDeep: both are the same tag.
        TagInUse: other tags are below the one that would be deleted.
    """
    defined = await lock_tags(session, campaign)
    tag, into = find_tag(defined, tag_id), find_tag(defined, into_id)
    if tag is into:
        msg = "A tag cannot be merged into itself."
        raise errors.TagsTooDeep(msg)
    _check_nothing_below(defined, tag)
    await session.execute(_DROP_REPEATED, {"tag_id": tag.id, "into_id": into.id})
    moved = await session.scalars(
        update(IdeaTag)
        .where(IdeaTag.tag_id == tag.id)
        .values(tag_id=into.id, name=into.name)
        .returning(IdeaTag.idea_id)
        .execution_options(synchronize_session=False)
    )
    ideas = len(set(moved))
    await session.delete(tag)
    await session.flush()
    await record_event(
        session,
        idea_payloads.TagsMerged(tag_id=tag.id, into_tag_id=into.id, ideas=ideas),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    return into


async def delete_tag(session: AsyncSession, campaign: Campaign, tag_id: UUID, *, actor_id: UUID) -> None:
    """Delete a tag that no submitted idea has.

    Drafts, which only their authors see, decide nothing: they keep its name, and cannot be submitted with it.

    Raises:
        TagNotFound: the campaign has no such tag.
        TagInUse: ideas have it, or other tags are below it.
    """
    defined = await lock_tags(session, campaign)
    tag = find_tag(defined, tag_id)
    _check_nothing_below(defined, tag)
    used = select(IdeaTag.idea_id).join(Idea, Idea.id == IdeaTag.idea_id).where(IdeaTag.tag_id == tag.id)
    if await session.scalar(used.where(Idea.status != Status.DRAFT).limit(1)) is not None:
        msg = f"Ideas have the tag {tag.name!r}; merge it into another one instead."
        raise errors.TagInUse(msg)
    free = update(IdeaTag).where(IdeaTag.tag_id == tag.id).values(tag_id=None)
    await session.execute(free.execution_options(synchronize_session=False))
    await session.delete(tag)
    await session.flush()
    await record_event(session, idea_payloads.TagDeleted(tag_id=tag.id), actor_id=actor_id, campaign_id=campaign.id)


async def lock_tags(session: AsyncSession, campaign: Campaign) -> DefinedTags:
    """The tags of a campaign, which no other transaction reads or changes meanwhile for an idea.

    Raises:
        CampaignNotActive: the campaign has ended.
    """
    campaign = await campaigns.get_campaign(session, campaign.id, lock="change")
    await campaigns.check_command(session, campaign, Command.TAG_IDEAS)
    return await get_defined(session, campaign.id)


def find_tag(defined: DefinedTags, tag_id: UUID) -> CampaignTag:
    """The tag of the campaign with this id.

    Raises:
        TagNotFound: there is none.
    """
    for tag in defined.tags:
        if tag.id == tag_id:
            return tag
    msg = f"The campaign has no tag with the id {tag_id}."
    raise errors.TagNotFound(msg)


def _below(defined: DefinedTags, tag: CampaignTag) -> list[CampaignTag]:
    """The tags below a tag, on all levels; `defined` is in the order of levels."""
    ids, found = {tag.id}, []
    for each in defined.tags:
        if each.parent_id in ids:
            ids.add(each.id)
            found.append(each)
    return found


def _check_name(defined: DefinedTags, name: str, tag: CampaignTag | None) -> None:
    taken = next((each for each in defined.tags if each is not tag and each.name.lower() == name.lower()), None)
    if taken is not None:
        msg = f"The campaign has the tag {taken.name!r}."
        raise errors.TagNameTaken(msg, tag_id=taken.id)


def _check_place(tag: CampaignTag, deepest: int) -> None:
    if deepest > LEVELS_MAX:
        msg = f"Tags have at most {LEVELS_MAX} levels; this place would make {deepest}."
        raise errors.TagsTooDeep(msg)
    if tag.is_required and tag.parent_id is not None:
        msg = "Only a tag without a parent can be a required group."
        raise errors.TagsTooDeep(msg)


def _check_nothing_below(defined: DefinedTags, tag: CampaignTag) -> None:
    below = [each.name for each in _below(defined, tag)]
    if below:
        msg = f"Tags are below {tag.name!r}: {', '.join(below[:20])}. Move or merge them first."
        raise errors.TagInUse(msg)


async def adopt_free(session: AsyncSession, tag: CampaignTag, free_name: str) -> int:
    """Make free tags and categories with a name, in any case, this tag; returns the number of ideas and drafts."""
    values = {"campaign_id": tag.campaign_id, "name": tag.name, "tag_id": tag.id, "free_name": free_name}
    adopted: int = await session.scalar(_ADOPT, values) or 0
    return adopted
