"""Imports an election: one file becomes one completed campaign, in one transaction.

Ballots become allocations through the functions of the ledger, so imported coins follow the same rules as all others.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import text

from api.coins import service as coins
from api.coins.policies import PolicyWrite
from api.events import payloads
from api.events.service import record_event
from api.imports.currencies import currency_of
from api.imports.elections import Defaults
from api.imports.errors import ElectionDiffers, ElectionNotOver
from api.imports.imported import ImportedElection, Status, find_by_content, find_by_key
from api.imports.naming import election_key, title_of
from api.imports.pabulib import parse_election
from api.imports.rows import copy_ideas, copy_members, insert_campaign, status_of
from api.kernel import clock
from api.kernel.ids import uuid7

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.imports.elections import Election

__all__ = ["Defaults", "ImportedElection", "Progress", "Status", "import_election"]

MOVES_PER_CALL = 1000
_NO_DEFAULTS = Defaults()

_INSERT_IMPORT = text(
    """
    INSERT INTO app.election_imports
        (campaign_id, election_key, file_name, sha256, ballots, allocations, accepted_counts, imported_by)
    VALUES (:campaign_id, :key, :file_name, :sha256, :ballots, :allocations, :accepted_counts, :actor_id)
    """
)


class Progress(Protocol):
    """Callback for the progress of an import: `done` of `total` in a stage (`voters`, `ideas`, `ballots`, `settlement`)."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Called at the start of each stage, often within `ballots`, and at its end."""


async def import_election(
    session: AsyncSession,
    path: Path,
    *,
    actor_id: UUID | None,
    defaults: Defaults = _NO_DEFAULTS,
    currency: str | None = None,
    accept_counts: bool = False,
    progress: Progress | None = None,
) -> ImportedElection:
    """Import a .pb file, or return the existing import. The caller commits; one file per session.

    `defaults` supply what the file leaves out. `currency` is an ISO 4217 code that overrides the file's currency and that of
    its country. `accept_counts` accepts a file whose totals are wrong but whose rows are valid.

    Raises:
        OSError: the file cannot be read.
        MalformedElection: the file is not a valid election.
        ElectionDiffers: this election was imported from a file with other content.
        CurrencyUnknown: neither `currency`, nor the file, nor its country determines the currency.
        ElectionNotOver: its last day has not passed.
    """
    raw = await asyncio.to_thread(path.read_bytes)
    sha256 = hashlib.sha256(raw).digest()
    if existing := await find_by_content(session, sha256):
        return existing
    election = await asyncio.to_thread(parse_election, raw, path.name, defaults=defaults, accept_counts=accept_counts)
    currency = currency_of(election.meta, currency, first_day=election.first_day, last_day=election.last_day)
    if election.counted_at > clock.now():
        msg = f"{path.name}: its last day is {election.last_day:%d.%m.%Y}; only finished elections can be imported."
        raise ElectionNotOver(msg)
    key = election_key(election.meta)
    await _lock_election(session, key)
    # another import may have committed the same file while this one waited for the lock
    if existing := await find_by_content(session, sha256):
        return existing
    if existing := await find_by_key(session, key):
        msg = (
            f"{path.name}: {existing.title} was imported before, from {existing.file_name} with other content, as the "
            f"campaign {existing.slug}. Nothing was changed."
        )
        raise ElectionDiffers(msg, slug=existing.slug, election_key=key)
    return await _store(session, election, key, currency=currency, actor_id=actor_id, progress=progress or _no_progress)


async def _store(
    session: AsyncSession, election: Election, key: str, *, currency: str, actor_id: UUID | None, progress: Progress
) -> ImportedElection:
    campaign_id, at = uuid7(), election.counted_at
    slug = await insert_campaign(session, campaign_id, election, currency=currency, actor_id=actor_id)
    policy = PolicyWrite(
        coins_per_member=election.coins_per_member,
        coins_per_member_and_idea_max=election.rules.max_points,
        allocation_opens_at=election.begins_at,
        allocate_until=election.ends_at,
    )
    await coins.open_ledger(session, campaign_id, policy, actor_id=actor_id)

    progress("ideas", 0, len(election.projects))
    idea_ids = await copy_ideas(session, campaign_id, election, currency=currency, actor_id=actor_id)
    await coins.open_targets(session, campaign_id, dict.fromkeys(idea_ids.values()))
    progress("ideas", len(election.projects), len(election.projects))

    progress("voters", 0, len(election.ballots))
    user_ids = await copy_members(session, campaign_id, election, actor_id=actor_id)
    await coins.grant_coins(session, campaign_id, user_ids, actor_id=actor_id, effective_at=at)
    progress("voters", len(election.ballots), len(election.ballots))

    allocations = await _allocate_ballots(
        session, campaign_id, election, user_ids, idea_ids, actor_id=actor_id, progress=progress
    )

    progress("settlement", 0, 1)
    accepted = [idea_ids[project.ref] for project in election.projects if status_of(project) == "accepted"]
    if accepted:
        await coins.close_targets(session, campaign_id, accepted, kind="expire", actor_id=actor_id, effective_at=at)
    await coins.close_ledger(session, campaign_id, actor_id=actor_id, effective_at=at)
    await _record(session, campaign_id, election, key, allocations=allocations, actor_id=actor_id)
    progress("settlement", 1, 1)
    return ImportedElection(
        status=Status.IMPORTED,
        file_name=election.file_name,
        campaign_id=campaign_id,
        slug=slug,
        title=title_of(election.meta),
        currency=currency,
        ideas=len(idea_ids),
        ballots=len(user_ids),
        allocations=allocations,
        coins=election.coins.total(),
        differences=tuple(map(str, election.differences)),
        irregular=tuple(map(str, election.irregular)),
        irregular_counted=election.irregular_counted,
    )


async def _allocate_ballots(
    session: AsyncSession,
    campaign_id: UUID,
    election: Election,
    user_ids: list[UUID],
    idea_ids: dict[str, UUID],
    *,
    actor_id: UUID | None,
    progress: Progress,
) -> int:
    """Allocate the coins of the ballots; returns the number of allocations."""
    ballots = [list(ballot.allocations.items()) for ballot in election.ballots]
    total = sum(map(len, ballots))

    def moves() -> Iterator[coins.Move]:
        # first the first idea of every ballot, then the second: a call needs one round per item of the same wallet
        for place in range(max(map(len, ballots))):
            for user_id, ballot in zip(user_ids, ballots, strict=True):
                if place < len(ballot):
                    ref, amount = ballot[place]
                    yield coins.Move(campaign_id, user_id, None, idea_ids[ref], amount)

    waiting: list[coins.Move] = []
    progress("ballots", 0, total)
    for done, move in enumerate(moves(), 1):
        waiting.append(move)
        if len(waiting) == MOVES_PER_CALL or done == total:
            outcomes = await coins.move_coins(
                session, waiting, actor_id=actor_id, effective_at=election.counted_at, is_import=True
            )
            refused = [outcome for outcome in outcomes if not outcome.succeeded]
            if refused:
                msg = f"the ledger refused a ballot that the file's rules allow: {refused[0]}"
                raise AssertionError(msg)
            waiting.clear()
            progress("ballots", done, total)
    return total


async def _record(
    session: AsyncSession, campaign_id: UUID, election: Election, key: str, *, allocations: int, actor_id: UUID | None
) -> None:
    """Store the import and record its event."""
    await session.execute(
        _INSERT_IMPORT,
        {
            "campaign_id": campaign_id,
            "key": key,
            "file_name": election.file_name,
            "sha256": election.sha256,
            "ballots": len(election.ballots),
            "allocations": allocations,
            "accepted_counts": bool(election.differences),
            "actor_id": actor_id,
        },
    )
    await record_event(
        session,
        payloads.ElectionImported(
            election_key=key,
            file_name=election.file_name,
            sha256=election.sha256.hex(),
            ideas=len(election.projects),
            ballots=len(election.ballots),
            allocations=allocations,
            coins=election.coins.total(),
            differences=len(election.differences),
        ),
        actor_id=actor_id,
        campaign_id=campaign_id,
    )


async def _lock_election(session: AsyncSession, key: str) -> None:
    """Serialise imports of one election; the second one then sees the commit of the first."""
    # the duration depends on the size of the file, so the limits for requests do not apply
    await session.execute(text("SET LOCAL statement_timeout = 0"))
    await session.execute(text("SET LOCAL lock_timeout = 0"))
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))"), {"name": f"election_imports/{key}"}
    )


def _no_progress(stage: str, done: int, total: int) -> None:
    """Ignore progress."""
