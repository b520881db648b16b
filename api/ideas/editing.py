"""Changes of the text of an idea."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import update

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import Command
from api.events import idea_payloads, payloads
from api.events.service import record_event
from api.ideas import errors, material, versions
from api.ideas.authors import check_anonymity
from api.ideas.labels import CATEGORY, IDEA_TAGS_MAX, TAG, get_defined, labels, list_labels, names_of, store_labels
from api.ideas.locations import set_location
from api.ideas.models import Idea, IdeaChangeRequest
from api.ideas.queries import get_idea
from api.ideas.steps import EDITING, Editing, Status
from api.ideas.texts import check_complete
from api.kernel import clock
from api.kernel.errors import InvalidInput
from api.kernel.permissions import Permission
from api.kernel.preconditions import UNCONDITIONAL, Condition

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

_BY_AUTHOR = frozenset({Editing.AUTHOR, Editing.AUTHOR_AND_MANAGERS})
_BY_MANAGERS = frozenset({Editing.AUTHOR_AND_MANAGERS, Editing.AUTHOR_IN_WINDOW, Editing.MANAGERS})


async def edit_idea(
    session: AsyncSession,
    idea: Idea,
    changes: dict[str, Any],
    *,
    actor_id: UUID,
    is_manager: bool = False,
    reason: str | None = None,
    is_material: bool = False,
    restored_from: int | None = None,
    condition: Condition = UNCONDITIONAL,
) -> Idea:
    """Change the text of an idea. The caller checks that `actor_id` is its author or, with `is_manager`, manages ideas.

    `changes` has new values of `title`, `description`, `category` and `location` (None removes them), `tags` by name, and
    `is_anonymous` of a draft. Values that are equal to the present ones change nothing; without a change there is no new version
    and no event. A draft has one version: the text that is submitted. An edit by the author ends a request for changes. With
    `is_material`, the new version is marked (:mod:`api.ideas.material`).

    Raises:
        VersionChanged: `condition` does not accept the present version.
        IdeaFixed: the status or the time does not allow it (:data:`api.ideas.steps.EDITING`), or the anonymity of a submitted idea
            would change.
        AnonymityRefused: the campaign does not allow anonymous ideas.
        StepNotAllowed: the edit is to be material, and the actor does not manage ideas.
        NotMarkable: the edit is to be material, and the idea does not compete.
        ReasonMissing: a manager changes the idea of another person without a reason, or the edit is material.
        IdeaIncomplete: the title or the description would be too short, and the idea is not a draft.
        UnknownTag: the campaign has defined tags, and a new one is not among them.
        TagMissing: the idea would have no tag of a required group.
        CampaignNotActive: tags or the category of a submitted idea would change in a campaign that has ended.
    """
    campaign = await campaigns.get_campaign(session, idea.campaign_id, lock="read")
    idea = await get_idea(session, idea.id, lock=True)
    condition.check(idea.edit_number)
    now = await clock.database_now(session)
    is_author = idea.author_id == actor_id
    if not (is_author and await _may_author(session, campaign, idea, now)):
        _check_manager(idea, is_manager=is_manager, reason=reason)
    if is_material:
        _check_material(idea, is_manager=is_manager, reason=reason)
    if changes.get("is_anonymous", idea.is_anonymous) != idea.is_anonymous:
        _check_anonymity(campaign, idea, is_anonymous=changes["is_anonymous"])
    if idea.status != Status.DRAFT:
        check_complete(changes.get("title", idea.title), changes.get("description", idea.description))
    version = idea.version
    idea = await _apply(session, idea, changes, at=now, actor_id=actor_id, reason=reason, restored_from=restored_from)
    if is_material:
        if idea.version == version:
            msg = "The edit changes nothing, so it cannot be material; mark the latest version by its own route."
            raise errors.NotMarkable(msg, version=version)
        assert reason is not None, "it was checked"
        await material.mark_latest(session, idea, actor_id=actor_id, reason=reason)
    return idea


async def check_text_editable(session: AsyncSession, idea: Idea) -> None:
    """Check that the author may change the text and the attachments of an idea now.

    Raises:
        IdeaFixed: the status or the time does not allow it.
    """
    campaign = await campaigns.get_campaign(session, idea.campaign_id)
    if not await _may_author(session, campaign, idea, await clock.database_now(session)):
        raise _fixed(idea)


async def tag_idea(
    session: AsyncSession,
    idea: Idea,
    *,
    add: Collection[str] = (),
    remove: Collection[str] = (),
    actor_id: UUID,
    reason: str | None = None,
) -> Idea:
    """Add tags to a submitted idea and remove others, in any case; the author's text stays as it is.

    Tags that the idea has, or does not have, already change nothing.

    Raises:
        CampaignNotActive, IdeaFixed, UnknownTag, TagMissing: as for :func:`set_tags`.
        InvalidInput: the idea would have too many tags.
    """
    idea = await _lock_to_tag(session, idea)
    removed = {name.lower() for name in remove}
    kept = [name for name in names_of(await list_labels(session, idea.id), TAG) if name.lower() not in removed]
    present = {name.lower() for name in kept}
    tags = [*kept, *(name for name in dict.fromkeys(add) if name.lower() not in present)]
    if len(tags) > IDEA_TAGS_MAX:
        msg = f"An idea has at most {IDEA_TAGS_MAX} tags; it would have {len(tags)}."
        raise InvalidInput(msg)
    now = await clock.database_now(session)
    return await _apply(session, idea, {"tags": tags}, at=now, actor_id=actor_id, reason=reason)


async def set_tags(
    session: AsyncSession, idea: Idea, tags: Collection[str], *, actor_id: UUID, condition: Condition = UNCONDITIONAL
) -> Idea:
    """Give a submitted idea these tags in place of the present ones, without a reason; the same tags change nothing.

    Raises:
        CampaignNotActive: the phase of the campaign does not allow it.
        VersionChanged: `condition` does not accept the present version.
        IdeaFixed: the idea is a draft.
        UnknownTag: the campaign has defined tags, and a new one is not among them.
        TagMissing: the idea would have no tag of a required group.
    """
    idea = await _lock_to_tag(session, idea)
    condition.check(idea.edit_number)
    now = await clock.database_now(session)
    return await _apply(session, idea, {"tags": list(tags)}, at=now, actor_id=actor_id, reason=None)


async def _lock_to_tag(session: AsyncSession, idea: Idea) -> Idea:
    campaign = await campaigns.get_campaign(session, idea.campaign_id, lock="read")
    await campaigns.check_command(session, campaign, Command.TAG_IDEAS)
    idea = await get_idea(session, idea.id, lock=True)
    if idea.status == Status.DRAFT:
        msg = "The idea is a draft; its tags are changed by its author."
        raise errors.IdeaFixed(msg, idea_status=idea.status)
    return idea


async def _apply(
    session: AsyncSession,
    idea: Idea,
    changes: dict[str, Any],
    *,
    at: datetime,
    actor_id: UUID,
    reason: str | None,
    restored_from: int | None = None,
) -> Idea:
    """Make changes that were checked, and store the new version. The caller holds the idea's lock."""
    is_draft = idea.status == Status.DRAFT
    earlier = None if is_draft else await versions.find_unstored(session, idea)
    changed = [
        name
        for name in ("title", "description", "is_anonymous")
        if name in changes and changes[name] != getattr(idea, name)
    ]
    for name in changed:
        setattr(idea, name, changes[name])
    if "location" in changes and set_location(idea, changes["location"]):
        changed.append("location")
    changed += await _change_labels(session, idea, changes)
    if not changed:
        return idea
    if idea.author_id == actor_id:
        await end_change_request(session, idea, at)
    idea.updated_by = actor_id
    idea.edit_number += 1
    payload: payloads.Payload = idea_payloads.IdeaDraftEdited(changed=tuple(changed))
    if not is_draft:
        idea.version += 1
        payload = payloads.IdeaEdited(
            idea_version=idea.version,
            changed=tuple(changed),
            reason_given=True if reason else None,
            restored_version=restored_from,
        )
    await session.flush()
    if not is_draft:
        await versions.add_version(
            session, idea, at=at, actor_id=actor_id, earlier=earlier, reason=reason, restored_from=restored_from
        )
    await record_event(
        session,
        payload,
        actor_id=actor_id,
        campaign_id=idea.campaign_id,
        user_id=idea.author_id,
        idea_id=idea.id,
    )
    return idea


async def restore_version(
    session: AsyncSession, idea: Idea, number: int, *, actor_id: UUID, is_manager: bool, reason: str | None
) -> Idea:
    """Make the text of an earlier version the present one, as a new version. Tags that no longer exist are left out.

    Raises:
        VersionNotFound: the idea has no version with this number.
        IdeaFixed, ReasonMissing, TagMissing: as for :func:`edit_idea`.
    """
    version = await versions.get_version(session, idea, number)
    defined = await get_defined(session, idea.campaign_id)
    allowed = defined.without_unknown(labels(version.tags, version.categories))
    changes = {
        "title": version.title,
        "description": version.description,
        "category": next(iter(names_of(allowed, CATEGORY)), None),
        "tags": names_of(allowed, TAG),
    }
    return await edit_idea(
        session, idea, changes, actor_id=actor_id, is_manager=is_manager, reason=reason, restored_from=number
    )


async def end_change_request(session: AsyncSession, idea: Idea, now: datetime) -> None:
    """End the open request for changes of an idea, if there is one. The caller holds the idea's lock."""
    if idea.changes_requested_at is None:
        return
    idea.changes_requested_at = None
    await session.execute(
        update(IdeaChangeRequest)
        .where(IdeaChangeRequest.idea_id == idea.id, IdeaChangeRequest.ended_at.is_(None))
        .values(ended_at=now)
    )


def _check_material(idea: Idea, *, is_manager: bool, reason: str | None) -> None:
    if not is_manager:
        msg = "Only a manager of the campaign may mark an edit as material."
        raise errors.StepNotAllowed(msg, permission=Permission.MANAGE_IDEAS)
    material.check_markable(idea)
    if not reason:
        msg = "To mark an edit as material, give a reason for the backers of the idea."
        raise errors.ReasonMissing(msg)


def _check_anonymity(campaign: Campaign, idea: Idea, *, is_anonymous: bool) -> None:
    if idea.status != Status.DRAFT:
        msg = f"The idea is {idea.status}; whether it is anonymous is fixed by its submission."
        raise errors.IdeaFixed(msg, idea_status=idea.status)
    check_anonymity(campaign, is_anonymous=is_anonymous)


async def _may_author(session: AsyncSession, campaign: Campaign, idea: Idea, now: datetime) -> bool:
    editing = _editing(idea)
    if editing is not Editing.AUTHOR_IN_WINDOW:
        return editing in _BY_AUTHOR
    # the notice of an acceptance ends it earlier, as soon as policies have `acceptance_notice_h`
    closes_at = (await campaigns.find_allocation(session, campaign)).closes_at
    return closes_at is None or now <= closes_at


def _check_manager(idea: Idea, *, is_manager: bool, reason: str | None) -> None:
    editing = _editing(idea)
    if not is_manager or editing not in _BY_MANAGERS:
        raise _fixed(idea)
    if not reason:
        msg = "To change the text of another person's idea, or of one that its author can no longer change, give a reason."
        raise errors.ReasonMissing(msg)


def _fixed(idea: Idea) -> errors.IdeaFixed:
    msg = f"The idea is {idea.status}; its text can be changed by {_editing(idea).value}."
    return errors.IdeaFixed(msg, idea_status=idea.status)


def _editing(idea: Idea) -> Editing:
    """Who may change the text; no one in a status that only a later version knows."""
    return next((editing for status, editing in EDITING.items() if status == idea.status), Editing.NO_ONE)


async def _change_labels(session: AsyncSession, idea: Idea, changes: dict[str, Any]) -> list[str]:
    """Change the category and the tags that are given; returns the kinds that differed."""
    if "category" not in changes and "tags" not in changes:
        return []
    present = await list_labels(session, idea.id)
    categories, tags = names_of(present, CATEGORY), names_of(present, TAG)
    if "category" in changes:
        categories = [changes["category"]] if changes["category"] is not None else []
    if "tags" in changes:
        tags = changes["tags"]
    defined = await get_defined(session, idea.campaign_id)
    wanted = defined.resolve(labels(tags, categories), present=present)
    changed = await store_labels(session, idea.id, wanted)
    if changed and idea.status != Status.DRAFT:
        campaign = await campaigns.get_campaign(session, idea.campaign_id)
        await campaigns.check_command(session, campaign, Command.TAG_IDEAS)
        defined.check_required(wanted)
    return changed
