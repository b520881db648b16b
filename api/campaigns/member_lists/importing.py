"""Imports a list of members: people with an account become members, others are invited.

Each step is one statement for a thousand people at a time, and the same as for one member and one invitation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson
from sqlalchemy import func, select, text

from api.auth import service as auth
from api.campaigns.attributes.values import DefinedAttributes, get_defined
from api.campaigns.invitations.mail_limits import MAILS_MAX, find_exhausted
from api.campaigns.invitations.service import Invitee, invite
from api.campaigns.lifecycle import Command
from api.campaigns.member_lists.people import ImportProblem, MemberImport
from api.campaigns.memberships import Newcomer, admit
from api.campaigns.models import Campaign, Membership
from api.campaigns.queries import get_campaign
from api.campaigns.roles import RoleChange, follow_roles
from api.campaigns.transitions import check_command
from api.events import payloads
from api.events.service import record_events
from api.kernel import clock
from api.kernel.spreadsheets import Problem, refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.member_lists.people import Entry
    from api.campaigns.member_lists.reading import ReadList
    from settings import Settings

    Progress = Callable[[int, int], None]

ENTRIES_AT_ONCE = 1000

_UPDATE = text(
    """
    UPDATE app.memberships AS m
    SET role = c.role, attributes = CAST(c.attributes AS jsonb), updated_at = :at, updated_by = :actor_id
    FROM unnest(CAST(:ids AS uuid[]), CAST(:roles AS text[]), CAST(:attributes AS text[])) AS c (id, role, attributes)
    WHERE m.id = c.id
    """
)


@dataclass(frozen=True)
class _Member:
    """A present member as they are, or as they are to be."""

    id: UUID
    user_id: UUID
    role: str
    attributes: dict[str, Any]


@dataclass
class _Import:
    """What the parts of one import share. `manager_ids` are the present managers, after the changes of all parts so far."""

    session: AsyncSession
    settings: Settings
    campaign: Campaign
    actor_id: UUID | None
    defined: DefinedAttributes
    manager_ids: set[UUID]
    result: MemberImport
    problems: list[Problem]


async def import_members(
    session: AsyncSession,
    settings: Settings,
    campaign: Campaign,
    people: ReadList,
    *,
    actor_id: UUID | None,
    continue_on_failure: bool = False,
    progress: Progress | None = None,
) -> MemberImport:
    """Import the people in the session's transaction; `progress` is called with the numbers of done and of all people.

    With `continue_on_failure` the people without an error are imported, and the others reported.

    Raises:
        InvalidInput: there is an error, and `continue_on_failure` is false, or the file has a column that is no attribute of the
            campaign. The first 20 errors are listed.
        CampaignNotActive: the campaign has ended.
    """
    if people.problems and not continue_on_failure:
        raise refusal(people.problems)
    campaign = await get_campaign(session, campaign.id, lock="change")
    await check_command(session, campaign, Command.ADD_MEMBER)
    defined = await get_defined(session, campaign.id)
    _check_columns(people, defined)
    managers = await session.scalars(
        select(Membership.user_id).where(
            Membership.campaign_id == campaign.id, Membership.role == "manager", Membership.left_at.is_(None)
        )
    )
    done = _Import(session, settings, campaign, actor_id, defined, set(managers), MemberImport(), list(people.problems))
    for start in range(0, len(people.entries), ENTRIES_AT_ONCE):
        part = people.entries[start : start + ENTRIES_AT_ONCE]
        await _import_part(done, part)
        if progress is not None:
            progress(start + len(part), len(people.entries))
    if done.problems and not continue_on_failure:
        raise refusal(sorted(done.problems, key=lambda problem: problem.line))
    done.problems.sort(key=lambda problem: problem.line)
    done.result.errors = [ImportProblem.model_validate(problem) for problem in done.problems]
    done.result.failed = len({problem.line for problem in done.problems})
    return done.result


def _check_columns(people: ReadList, defined: DefinedAttributes) -> None:
    """Refuse a file with columns that are no attributes of the campaign."""
    if not defined.definitions:
        return
    keys = defined.by_column()
    unknown = [
        Problem(1, column, f"(column {number} of the header) {defined.find_fault(column, '')}")
        for number, column in people.attribute_columns
        if column not in keys
    ]
    named: dict[str, int] = {}
    for number, column in people.attribute_columns:
        first = named.setdefault(keys.get(column, column), number)
        if first != number:
            unknown.append(
                Problem(1, column, f"(column {number} of the header) is the attribute of column {first} too")
            )
    if unknown:
        raise refusal(unknown)


async def _import_part(done: _Import, entries: Sequence[Entry]) -> None:
    """Import some of the people."""
    addresses = [entry.email.lower() for entry in entries]
    accounts = await auth.find_ids_by_email(done.session, addresses, only_active=True)
    present = await _find_members(done.session, done.campaign.id, addresses)
    members: list[tuple[Entry, _Member]] = []
    new: list[tuple[Entry, UUID]] = []
    invited: list[Entry] = []
    keys = done.defined.by_column()
    for given, address in zip(entries, addresses, strict=True):
        entry = replace(given, attributes={keys.get(key, key): value for key, value in given.attributes.items()})
        member = present.get(address)
        faults = done.defined.find_faults(entry.attributes, before=member.attributes if member else None)
        if faults:
            done.problems += [Problem(entry.line, key, fault) for key, fault in faults.items()]
        elif member is not None:
            members.append((entry, member))
        elif (user_id := accounts.get(address)) is not None:
            new.append((entry, user_id))
        else:
            invited.append(entry)
    await _update(done, members)
    await _admit(done, new)
    await _invite(done, invited)


async def _update(done: _Import, members: Sequence[tuple[Entry, _Member]]) -> None:
    """Change the given roles and attributes of present members."""
    changed: list[_Member] = []
    roles: list[RoleChange] = []
    attributes: list[tuple[UUID | None, payloads.Payload]] = []
    for entry, member in members:
        role = entry.role or member.role
        if member.role == "manager" and role != "manager":
            if done.manager_ids == {member.user_id}:
                refused = "This is the campaign's only manager; make another member a manager first."
                done.problems.append(Problem(entry.line, "role", refused))
                continue
            done.manager_ids.discard(member.user_id)
        if role == "manager":
            done.manager_ids.add(member.user_id)
        after = replace(member, role=role, attributes=member.attributes | entry.attributes)
        if after == member:
            done.result.unchanged += 1
            continue
        changed.append(after)
        if after.role != member.role:
            roles.append(RoleChange(member.user_id, member.role, after.role))
        if names := {name for name, _ in after.attributes.items() ^ member.attributes.items()}:
            attributes.append((member.user_id, payloads.MemberAttributesChanged(names=tuple(sorted(names)))))
    done.result.updated += len(changed)
    if not changed:
        return
    await done.session.execute(
        _UPDATE,
        {
            "ids": [each.id for each in changed],
            "roles": [each.role for each in changed],
            "attributes": [orjson.dumps(each.attributes).decode() for each in changed],
            "at": clock.now(),
            "actor_id": done.actor_id,
        },
    )
    await follow_roles(done.session, done.campaign, roles, actor_id=done.actor_id)
    await record_events(done.session, attributes, actor_id=done.actor_id, campaign_id=done.campaign.id)


async def _admit(done: _Import, new: Sequence[tuple[Entry, UUID]]) -> None:
    """Make users members; those who were members have their former attributes, as far as the campaign allows them."""
    former = await _find_former_attributes(done.session, done.campaign.id, [user_id for _, user_id in new])
    newcomers: list[Newcomer] = []
    for entry, user_id in new:
        values = done.defined.fitting(former.get(user_id, {})) | entry.attributes
        if missing := done.defined.find_missing(values):
            done.problems += [Problem(entry.line, key, fault) for key, fault in missing.items()]
            continue
        newcomers.append(Newcomer(user_id, entry.role or "member", values))
    await admit(done.session, done.campaign, newcomers, actor_id=done.actor_id)
    done.manager_ids.update(each.user_id for each in newcomers if each.role == "manager")
    done.result.added += len(newcomers)


async def _invite(done: _Import, invited: Sequence[Entry]) -> None:
    """Invite people. What the campaign requires can be missing: the person is asked for it."""
    exhausted = await find_exhausted(done.session, done.campaign.id, [entry.email for entry in invited])
    invitees: list[Invitee] = []
    for entry in invited:
        if possible_at := exhausted.get(entry.email):
            refused = (
                f"has received {MAILS_MAX} invitations in 24 hours; possible again from {possible_at.isoformat()} on"
            )
            done.problems.append(Problem(entry.line, "email", refused))
            continue
        invitees.append(Invitee(entry.email, entry.name, entry.role or "member", entry.attributes))
    await invite(done.session, done.settings, done.campaign, invitees, actor_id=done.actor_id)
    done.result.invited += len(invitees)


async def _find_members(session: AsyncSession, campaign_id: UUID, addresses: Sequence[str]) -> dict[str, _Member]:
    """The present members with these addresses, by the address in lower case."""
    people = auth.PEOPLE.c
    lowered: Any = func.lower(people.email)
    rows = await session.execute(
        select(lowered.label("email"), Membership.id, Membership.user_id, Membership.role, Membership.attributes)
        .join(Membership, Membership.user_id == people.id)
        .where(Membership.campaign_id == campaign_id, Membership.left_at.is_(None), lowered.in_(addresses))
    )
    return {row.email: _Member(row.id, row.user_id, row.role, row.attributes) for row in rows}


async def _find_former_attributes(
    session: AsyncSession, campaign_id: UUID, user_ids: Sequence[UUID]
) -> dict[UUID, dict[str, Any]]:
    """The attributes of former members in their last membership."""
    rows = await session.execute(
        select(Membership.user_id, Membership.attributes)
        .where(Membership.campaign_id == campaign_id, Membership.user_id.in_(user_ids))
        .order_by(Membership.left_at)
    )
    return {row.user_id: row.attributes for row in rows}
