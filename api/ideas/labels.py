"""The tags and the category of an idea, and their check against the tags that its campaign has defined."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfuzz import process
from rapidfuzz.distance import OSA
from sqlalchemy import delete, select

from api.ideas import errors
from api.ideas.models import CampaignTag, IdeaTag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

CATEGORY, TAG = "category", "tag"
IDEA_TAGS_MAX = 10
_SIMILAR_MIN = 0.4


@dataclass(frozen=True)
class Label:
    """A tag or the category of an idea; `tag_id` is set if the campaign has defined it."""

    kind: str
    name: str
    tag_id: UUID | None = None


def labels(tags: Iterable[str], categories: Iterable[str]) -> list[Label]:
    """The labels with these names; repeated names count once."""
    return [Label(TAG, name) for name in dict.fromkeys(tags)] + [
        Label(CATEGORY, name) for name in dict.fromkeys(categories)
    ]


async def list_labels(session: AsyncSession, idea_id: UUID) -> list[Label]:
    """The tags and categories of an idea by name; without targets, which only imported ideas have."""
    rows = await session.execute(
        select(IdeaTag.kind, IdeaTag.name, IdeaTag.tag_id)
        .where(IdeaTag.idea_id == idea_id, IdeaTag.kind.in_((CATEGORY, TAG)))
        .order_by(IdeaTag.kind, IdeaTag.name)
    )
    return [Label(*row) for row in rows]


def names_of(found: Iterable[Label], kind: str) -> list[str]:
    """The names of the labels of one kind, sorted."""
    return sorted(label.name for label in found if label.kind == kind)


@dataclass(frozen=True)
class DefinedTags:
    """The tags that a campaign has defined; without any, ideas have free tags."""

    tags: Sequence[CampaignTag]

    def resolve(self, wanted: Iterable[Label], *, present: Iterable[Label] = ()) -> list[Label]:
        """The labels with the names and ids of the defined tags; names are found in any case.

        An idea keeps `present` labels that were free tags when it got them.

        Raises:
            UnknownTag: the campaign has defined tags, and one of the names is not among them.
        """
        if not self.tags:
            return list(dict.fromkeys(wanted))
        by_name = {tag.name.lower(): tag for tag in self.tags}
        kept = {(label.kind, label.name) for label in present}
        resolved = []
        for label in wanted:
            tag = by_name.get(label.name.lower())
            if tag is not None:
                resolved.append(Label(label.kind, tag.name, tag.id))
            elif (label.kind, label.name) in kept:
                resolved.append(label)
            else:
                raise self._unknown(label)
        return list(dict.fromkeys(resolved))

    def check_required(self, chosen: Iterable[Label]) -> None:
        """Check that each required group has one of the labels: the tag of the group, or one below it.

        Raises:
            TagMissing: a group has none; `missing` has the names of all such groups.
        """
        groups = {tag.id: tag for tag in self.tags if tag.is_required}
        if not groups:
            return
        parents = {tag.id: tag.parent_id for tag in self.tags}
        for label in chosen:
            at = label.tag_id
            while at is not None and at in parents:
                groups.pop(at, None)
                at = parents[at]
        if groups:
            missing = [tag.name for tag in groups.values()]
            msg = f"Give the idea a tag of each required group; missing: {', '.join(missing)}."
            raise errors.TagMissing(msg, missing=missing)

    def without_unknown(self, wanted: Iterable[Label]) -> list[Label]:
        """The labels that the campaign allows now."""
        names = {tag.name.lower() for tag in self.tags}
        return [label for label in wanted if not names or label.name.lower() in names]

    def nearest(self, name: str) -> str | None:
        """The name of the most similar tag, or None if none is similar."""
        names = [tag.name for tag in self.tags]
        scorer = OSA.normalized_similarity
        found = process.extractOne(name, names, scorer=scorer, score_cutoff=_SIMILAR_MIN, processor=str.lower)
        return found[0] if found else None

    def _unknown(self, label: Label) -> errors.UnknownTag:
        names = [tag.name for tag in self.tags]
        nearest = self.nearest(label.name)
        hint = f"Did you mean {nearest!r}?" if nearest else f"Its tags are {', '.join(names[:20])}."
        msg = f"The campaign has no tag {label.name!r}. {hint}"
        return errors.UnknownTag(msg, tag=label.name, nearest=nearest)


async def get_defined(session: AsyncSession, campaign_id: UUID) -> DefinedTags:
    """The tags of a campaign in their order.

    A caller that stores their ids holds the campaign's lock `read`, so that they are not merged or deleted meanwhile.
    """
    found = await session.scalars(
        select(CampaignTag)
        .where(CampaignTag.campaign_id == campaign_id)
        .order_by(CampaignTag.level, CampaignTag.position, CampaignTag.name)
    )
    return DefinedTags(found.all())


async def store_labels(session: AsyncSession, idea_id: UUID, wanted: Sequence[Label]) -> list[str]:
    """Replace the tags and categories of an idea; returns the kinds that differed.

    A label of the same name that has only become a defined tag is no difference.
    """
    present = await list_labels(session, idea_id)
    changed = []
    for kind in (CATEGORY, TAG):
        had, has = ({label for label in group if label.kind == kind} for group in (present, wanted))
        if had == has:
            continue
        await session.execute(delete(IdeaTag).where(IdeaTag.idea_id == idea_id, IdeaTag.kind == kind))
        session.add_all(
            IdeaTag(idea_id=idea_id, kind=kind, name=label.name, tag_id=label.tag_id)
            for label in sorted(has, key=lambda label: label.name)
        )
        await session.flush()
        if {label.name for label in had} != {label.name for label in has}:
            changed.append(kind)
    return changed
