"""Imports a list of members: people with an account become members, others are invited.

The statements are those of one member and one invitation, for a thousand people at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from api.auth import service as auth
from api.campaigns import errors
from api.campaigns.invitations.service import Invitee, invite
from api.campaigns.lifecycle import Command
from api.campaigns.member_lists.people import ImportProblem, MemberImport
from api.campaigns.memberships import Newcomer, admit, set_attributes
from api.campaigns.models import Campaign, Membership
from api.campaigns.queries import get_campaign
from api.campaigns.roles import set_member_role
from api.campaigns.transitions import check_command
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
        InvalidInput: there is an error, and `continue_on_failure` is false. The first 20 errors are listed.
        CampaignNotActive: the campaign has ended.
    """
    if people.problems and not continue_on_failure:
        raise refusal(people.problems)
    campaign = await get_campaign(session, campaign.id, lock="change")
    await check_command(session, campaign, Command.ADD_MEMBER)
    problems = list(people.problems)
    result = MemberImport()
    for start in range(0, len(people.entries), ENTRIES_AT_ONCE):
        part = people.entries[start : start + ENTRIES_AT_ONCE]
        problems += await _import_part(session, settings, campaign, part, actor_id, result)
        if progress is not None:
            progress(start + len(part), len(people.entries))
    if problems and not continue_on_failure:
        raise refusal(problems)
    problems.sort(key=lambda problem: problem.line)
    result.errors = [ImportProblem.model_validate(problem) for problem in problems]
    result.failed = len({problem.line for problem in problems})
    return result


async def _import_part(
    session: AsyncSession,
    settings: Settings,
    campaign: Campaign,
    entries: Sequence[Entry],
    actor_id: UUID | None,
    result: MemberImport,
) -> list[Problem]:
    """Import some of the people, count them in the result, and return what refuses a change of a present member."""
    addresses = [entry.email.lower() for entry in entries]
    accounts = await auth.find_ids_by_email(session, addresses, only_active=True)
    present = await _find_members(session, campaign.id, addresses)
    problems: list[Problem] = []
    new: list[tuple[Entry, UUID]] = []
    invited: list[Entry] = []
    for entry, address in zip(entries, addresses, strict=True):
        membership = present.get(address)
        if membership is not None:
            try:
                is_changed = await _update(session, campaign, membership, entry, actor_id)
            except errors.LastManager as error:
                problems.append(Problem(entry.line, "role", error.detail))
            else:
                result.updated += is_changed
                result.unchanged += not is_changed
        elif (user_id := accounts.get(address)) is not None:
            new.append((entry, user_id))
        else:
            invited.append(entry)
    former = await _find_former_attributes(session, campaign.id, [user_id for _, user_id in new])
    newcomers = [
        Newcomer(user_id, entry.role or "member", former.get(user_id, {}) | entry.attributes) for entry, user_id in new
    ]
    await admit(session, campaign, newcomers, actor_id=actor_id)
    result.added += len(newcomers)
    invitees = [Invitee(each.email, each.name, each.role or "member", each.attributes) for each in invited]
    await invite(session, settings, campaign, invitees, actor_id=actor_id)
    result.invited += len(invitees)
    return problems


async def _update(
    session: AsyncSession, campaign: Campaign, membership: Membership, entry: Entry, actor_id: UUID | None
) -> bool:
    """Change the given role and attributes of a member; returns whether they differ.

    Raises:
        LastManager: the campaign would have no manager.
    """
    is_other_role = entry.role is not None and entry.role != membership.role
    if entry.role is not None and is_other_role:
        await set_member_role(session, campaign, user_id=membership.user_id, role=entry.role, actor_id=actor_id)
    attributes = membership.attributes | entry.attributes
    return await set_attributes(session, campaign, membership, attributes, actor_id=actor_id) or is_other_role


async def _find_members(session: AsyncSession, campaign_id: UUID, addresses: Sequence[str]) -> dict[str, Membership]:
    """The current memberships of people with these addresses, by the address in lower case."""
    people = auth.PEOPLE.c
    lowered: Any = func.lower(people.email)
    rows = await session.execute(
        select(lowered.label("email"), Membership)
        .join(Membership, Membership.user_id == people.id)
        .where(Membership.campaign_id == campaign_id, Membership.left_at.is_(None), lowered.in_(addresses))
    )
    return {row.email: row.Membership for row in rows}


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
