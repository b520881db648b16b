"""Merges of ideas into one, with their coins and followers, and their undo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select, text

from api.campaigns import service as campaigns
from api.campaigns.lifecycle import Command
from api.coins import service as coins
from api.events import idea_payloads, payloads
from api.events.service import record_event
from api.ideas import errors
from api.ideas.models import Idea, IdeaMerge, IdeaMergeSource, IdeaStatusChange
from api.ideas.queries import NOT_FOUND
from api.ideas.steps import Status
from api.ideas.transitions import check_undo_window
from api.kernel import clock
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

_UNDECIDED = frozenset({Status.PENDING, Status.COMPETING})
_ADD_FOLLOWERS = text(
    """
    WITH added AS (
        INSERT INTO app.idea_followers (user_id, idea_id, followed_at)
        SELECT DISTINCT f.user_id, CAST(:target_id AS uuid), CAST(:merged_at AS timestamptz)
        FROM app.idea_followers AS f WHERE f.idea_id = ANY (:source_ids)
        ON CONFLICT (user_id, idea_id) DO NOTHING
        RETURNING user_id
    )
    INSERT INTO app.idea_merge_followers (merge_id, user_id) SELECT :merge_id, a.user_id FROM added AS a
    """
)
# who has stopped following the target and follows it again does so of their own accord
_REMOVE_FOLLOWERS = text(
    """
    DELETE FROM app.idea_followers AS f USING app.idea_merge_followers AS m
    WHERE m.merge_id = :merge_id AND f.user_id = m.user_id AND f.idea_id = :target_id AND f.followed_at = :merged_at
    """
)


@dataclass(frozen=True)
class Merge:
    """A merge, the ideas that became merged, and the members whose coins it moved."""

    merge: IdeaMerge
    sources: list[IdeaMergeSource]
    members: list[coins.MergedMember]


async def merge_ideas(
    session: AsyncSession, target: Idea, source_ids: Sequence[UUID], *, actor_id: UUID, reason: str
) -> Merge:
    """Merge ideas of a campaign into the target, in one transaction. The caller checks that `actor_id` manages ideas.

    The rows of all ideas are locked in the order of their ids, as bulk commands do.

    Raises:
        CampaignNotActive: the phase of the campaign allows no decisions.
        IdeaNotFound: the campaign has no idea with one of the ids.
        NotMergeable: one of the ideas is decided or merged, or the target does not compete and one of the others does.
        GraceRunning: backers of one of the ideas may take coins back after a material edit.
    """
    campaign = await campaigns.get_campaign(session, target.campaign_id, lock="read")
    await campaigns.check_command(session, campaign, Command.DECIDE_IDEA)
    ideas = await _lock(session, campaign.id, [target.id, *source_ids])
    target = ideas.pop(target.id)
    _check_mergeable(target, ideas.values(), source_ids)
    merge = IdeaMerge(
        id=uuid7(),
        campaign_id=campaign.id,
        target_id=target.id,
        merged_at=await clock.database_now(session),
        merged_by=actor_id,
        reason=reason,
    )
    session.add(merge)
    await session.flush()
    staked = [idea.id for idea in ideas.values() if idea.status == Status.COMPETING]
    moved = (
        await coins.merge_stakes(session, campaign.id, merge.id, target.id, staked, actor_id=actor_id, reason=reason)
        if staked
        else {}
    )
    sources = []
    for idea in ideas.values():
        found = moved.get(idea.id, coins.MergedStakes())
        sources.append(await _mark_merged(session, merge, idea, found))
    values = {
        "merge_id": merge.id,
        "target_id": target.id,
        "source_ids": list(ideas),
        "merged_at": merge.merged_at,
    }
    await session.execute(_ADD_FOLLOWERS, values)
    members = await coins.list_merged_members(session, merge.id, target.id) if staked else []
    return Merge(merge, sources, members)


async def undo_merge(
    session: AsyncSession, target: Idea, *, actor_id: UUID, reason: str, sees_stakes: bool
) -> tuple[IdeaMerge, list[IdeaMergeSource]]:
    """Undo the last merge into the target: coins, statuses, followers and addresses are as before.

    `sees_stakes`: the caller may know whose coins have moved.

    Raises:
        CampaignNotActive: the phase of the campaign allows no decisions.
        NotMerged: there is no merge into this idea that was not undone.
        UndoWindowOver: the undo window of the coin policy is over.
        NotMergeable: the target is decided or merged itself.
        MergeMoved: coins on the target, or coins that were returned, have moved since.
    """
    campaign = await campaigns.get_campaign(session, target.campaign_id, lock="read")
    await campaigns.check_command(session, campaign, Command.DECIDE_IDEA)
    merge = await _find_last(session, target.id)
    sources = list(
        await session.scalars(
            select(IdeaMergeSource).where(IdeaMergeSource.merge_id == merge.id).order_by(IdeaMergeSource.idea_id)
        )
    )
    ideas = await _lock(session, campaign.id, [target.id, *(source.idea_id for source in sources)])
    await session.refresh(merge)
    if merge.undone_at is not None:
        raise _not_merged()
    target = ideas.pop(target.id)
    now = await clock.database_now(session)
    await check_undo_window(session, campaign.id, "A merge", merge.merged_at, at=now)
    if target.status not in _UNDECIDED:
        msg = f"The idea is {target.status}; a merge is undone only while its target is pending or competing."
        raise errors.NotMergeable(msg, statuses={str(target.id): target.status})
    staked = [source.idea_id for source in sources if source.from_status == Status.COMPETING]
    if staked:
        moved = await coins.undo_merged_stakes(
            session, campaign.id, merge.id, target.id, staked, actor_id=actor_id, reason=reason
        )
        if moved:
            raise _moved(moved, sees_stakes=sees_stakes)
    for source in sources:
        await _restore(session, merge, source, ideas[source.idea_id], actor_id=actor_id, reason=reason)
    await session.execute(
        _REMOVE_FOLLOWERS, {"merge_id": merge.id, "target_id": target.id, "merged_at": merge.merged_at}
    )
    merge.undone_at = await clock.database_now(session)
    merge.undone_by, merge.undo_reason = actor_id, reason
    await session.flush()
    return merge, sources


async def _lock(session: AsyncSession, campaign_id: UUID, idea_ids: Sequence[UUID]) -> dict[UUID, Idea]:
    """Lock the submitted ideas in the order of their ids, and read them."""
    found = await session.scalars(
        select(Idea)
        .where(Idea.id.in_(idea_ids), Idea.campaign_id == campaign_id, Idea.status != Status.DRAFT)
        .order_by(Idea.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    ideas = {idea.id: idea for idea in found}
    missing = sorted(set(idea_ids) - ideas.keys())
    if missing:
        raise errors.IdeaNotFound(NOT_FOUND, idea_ids=missing)
    return ideas


def _check_mergeable(target: Idea, sources: Iterable[Idea], source_ids: Sequence[UUID]) -> None:
    if target.id in source_ids:
        msg = "An idea is not merged into itself; leave its id out of idea_ids."
        raise errors.NotMergeable(msg, statuses={})
    statuses = {idea.id: idea.status for idea in (target, *sources)}
    refused = {str(idea_id): status for idea_id, status in statuses.items() if status not in _UNDECIDED}
    if refused:
        msg = "Only pending and competing ideas are merged; others are decided or merged already."
        raise errors.NotMergeable(msg, statuses=refused)
    competing = {str(idea.id): idea.status for idea in sources if idea.status == Status.COMPETING}
    if target.status == Status.PENDING and competing:
        msg = "The target is pending and takes no coins, so only pending ideas are merged into it; approve it first."
        raise errors.NotMergeable(msg, statuses=competing)


async def _mark_merged(
    session: AsyncSession, merge: IdeaMerge, idea: Idea, found: coins.MergedStakes
) -> IdeaMergeSource:
    source = IdeaMergeSource(
        merge_id=merge.id,
        idea_id=idea.id,
        from_status=idea.status,
        stake_coins=found.coins,
        backers=found.backers,
        returned_coins=found.returned_coins,
        reason=idea.reason,
        reason_code=idea.reason_code,
        status_changed_at=idea.status_changed_at,
    )
    session.add(source)
    idea.merged_into_id = merge.target_id
    await _set_status(session, idea, Status.MERGED, actor_id=merge.merged_by, reason=merge.reason, at=clock.now())
    idea.reason, idea.reason_code = merge.reason, None
    await session.flush()
    has_coins = source.from_status == Status.COMPETING
    await record_event(
        session,
        idea_payloads.IdeasMerged(
            merge_id=merge.id,
            target_id=merge.target_id,
            returned_coins=source.returned_coins,
            reason_given=True,
            before=_state(source.from_status, source if has_coins else None),
            after=_state(Status.MERGED, None),
        ),
        actor_id=merge.merged_by,
        campaign_id=merge.campaign_id,
        user_id=idea.author_id,
        idea_id=idea.id,
    )
    return source


async def _restore(
    session: AsyncSession, merge: IdeaMerge, source: IdeaMergeSource, idea: Idea, *, actor_id: UUID, reason: str
) -> None:
    assert idea.merged_into_id == merge.target_id, "the status of a merged idea is changed only here"
    idea.merged_into_id = None
    await _set_status(
        session, idea, Status(source.from_status), actor_id=actor_id, reason=reason, at=source.status_changed_at
    )
    idea.reason, idea.reason_code = source.reason, source.reason_code
    await session.flush()
    await record_event(
        session,
        idea_payloads.MergeUndone(
            merge_id=merge.id,
            target_id=merge.target_id,
            reason_given=True,
            before=_state(Status.MERGED, None),
            after=_state(source.from_status, source if source.from_status == Status.COMPETING else None),
        ),
        actor_id=actor_id,
        campaign_id=merge.campaign_id,
        user_id=idea.author_id,
        idea_id=idea.id,
    )


async def _set_status(
    session: AsyncSession, idea: Idea, status: Status, *, actor_id: UUID | None, reason: str, at: datetime
) -> None:
    """Set the status, which counts from `at` on, and record the change."""
    session.add(
        IdeaStatusChange(
            idea_id=idea.id,
            from_status=idea.status,
            to_status=status,
            changed_at=clock.now(),
            changed_by=actor_id,
            reason=reason,
        )
    )
    idea.status, idea.status_changed_at, idea.updated_by = status, at, actor_id


def _state(status: str, source: IdeaMergeSource | None) -> payloads.IdeaState:
    """The status, with the stakes of a source that has some."""
    if source is None:
        return payloads.IdeaState(status=status)
    return payloads.IdeaState(status=status, stake_coins=source.stake_coins, backers=source.backers)


async def _find_last(session: AsyncSession, target_id: UUID) -> IdeaMerge:
    merge = await session.scalar(
        select(IdeaMerge)
        .where(IdeaMerge.target_id == target_id, IdeaMerge.undone_at.is_(None))
        .order_by(IdeaMerge.merged_at.desc(), IdeaMerge.id.desc())
        .limit(1)
    )
    if merge is None:
        raise _not_merged()
    return merge


def _not_merged() -> errors.NotMerged:
    msg = "No ideas were merged into this one, or the merges were undone."
    return errors.NotMerged(msg)


def _moved(moved: Sequence[coins.MovedAccount], *, sees_stakes: bool) -> errors.MergeMoved:
    ideas = sorted({account.idea_id for account in moved if account.idea_id is not None})
    members = {account.user_id for account in moved}
    wallets = sum(account.idea_id is None for account in moved)
    msg = (
        f"Since the merge, {len(members)} members have moved coins on {len(ideas)} of the ideas, "
        f"or of {wallets} wallets to which the merge returned coins, so it cannot be undone exactly."
    )
    persons = {"user_ids": sorted(members)[:100]} if sees_stakes else {}
    return errors.MergeMoved(msg, idea_ids=ideas, members=len(members), wallets=wallets, **persons)
