"""Access of the caller to an idea, checked before the route runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from api.auth.dependencies import CurrentUser
from api.campaigns.dependencies import Access, access_to, refusal
from api.campaigns.errors import CampaignNotFound
from api.coins import service as coins
from api.ideas import errors, queries
from api.ideas.models import Idea
from api.ideas.steps import PUBLIC, Status, Step, find_step
from api.kernel.contract import raises
from api.kernel.errors import Forbidden
from api.kernel.permissions import TAKING_PART, Permission, Relation, roles_with
from api.kernel.rules import Rule, Scope, Visibility, enforces
from api.kernel.web import Session

_OF_MEMBERS = frozenset({Permission.SUBMIT_IDEA, Permission.WITHDRAW_IDEA})
"""Permissions of steps that an author takes, who takes part in the campaign."""
_WHO = {
    Permission.SUBMIT_IDEA: "its author, while a member of the campaign,",
    Permission.WITHDRAW_IDEA: "its author, while a member of the campaign,",
    Permission.APPROVE_IDEAS: "a moderator or manager of the campaign",
}


@dataclass(frozen=True)
class IdeaAccess:
    """An idea that the caller may see, and the caller's access to its campaign."""

    idea: Idea
    campaign: Access

    @property
    def is_author(self) -> bool:
        """Whether the caller is the author of the idea."""
        return self.idea.author_id == self.campaign.caller.user_id

    def may(self, permission: Permission) -> bool:
        """Whether the caller has the permission on this idea."""
        return _may(self.campaign, self.idea.author_id, permission)

    def check_step(self, target: Status) -> None:
        """Refuse a step that the caller may not take.

        Raises:
            StepNotAllowed: the step needs a permission that the caller does not have.
        """
        step = find_step(Status(self.idea.status), target)
        if step is None or step.permission is None:
            return  # the service refuses it as an illegal step, under the idea's lock
        if may_take(self.campaign, self.idea.author_id, step):
            return
        who = _WHO.get(step.permission, "a manager of the campaign")
        msg = f"Only {who} may {step.verb} this idea."
        raise errors.StepNotAllowed(msg, permission=step.permission)


def may_take(access: Access, author_id: UUID | None, step: Step) -> bool:
    """Whether the caller has the permission of a step on an idea of this author.

    Only a person who takes part in the campaign can submit or withdraw an idea, and only their own.
    """
    if step.permission is None or not _may(access, author_id, step.permission):
        return False
    return step.permission not in _OF_MEMBERS or (access.role in TAKING_PART and author_id == access.caller.user_id)


def _may(access: Access, author_id: UUID | None, permission: Permission) -> bool:
    """Authors read their ideas always, and change them while they take part in the campaign."""
    is_author = author_id == access.caller.user_id
    is_lost = permission is Permission.EDIT_IDEA and access.role not in TAKING_PART
    return access.may(permission, *((Relation.AUTHOR,) if is_author and not is_lost else ()))


async def _idea(session: Session, caller: CurrentUser, idea_id: UUID) -> IdeaAccess:
    idea = await queries.get_idea(session, idea_id)
    try:
        access = IdeaAccess(idea, await access_to(session, caller, idea.campaign_id))
    except CampaignNotFound:
        raise errors.IdeaNotFound(queries.NOT_FOUND) from None
    if idea.status == Status.DRAFT:
        if idea.author_id != caller.user_id:
            raise errors.IdeaNotFound(queries.NOT_FOUND)
        return access
    if idea.status in PUBLIC or access.may(Permission.VIEW_ALL_IDEAS):
        return access
    if idea.status == Status.MERGED and await queries.was_competing(session, idea.id):
        return access
    # backers keep reading an idea that was withdrawn or rejected: their statement names it
    if not await coins.has_stake_account(session, idea.id, user_id=caller.user_id):
        raise errors.IdeaNotFound(queries.NOT_FOUND)
    return access


_IdeaAccess = Annotated[IdeaAccess, Depends(_idea)]


@cache
def requires_on_idea(*permissions: Permission) -> Callable[[IdeaAccess], Awaitable[IdeaAccess]]:
    """A dependency that returns the access to the idea in the path, if the caller has one of the permissions on it."""

    @raises(errors.IdeaNotFound, type(_refusal(permissions)))
    @enforces(Rule(Scope.CAMPAIGN, permissions, Visibility.NOT_FOUND))
    async def check(access: _IdeaAccess) -> IdeaAccess:
        if not any(access.may(permission) for permission in permissions):
            raise _refusal(permissions)
        return access

    return check


def _refusal(permissions: tuple[Permission, ...]) -> Forbidden:
    if len(permissions) > 1:
        msg = (
            "Only the author of the idea, while they take part, or a moderator or manager of the campaign may do this."
        )
        return errors.StepNotAllowed(msg, permissions=permissions)
    if roles_with(permissions[0]) == [Relation.AUTHOR]:
        msg = "Only the author of the idea may do this, while they take part in the campaign."
        return errors.NotTheAuthor(msg, permission=permissions[0])
    return refusal(permissions[0])


async def find_audience(session: Session, access: IdeaAccess) -> tuple[str, bool]:
    """Who may see the stakes of others on the idea by the coin policy, and whether the caller is one of them.

    The policy limits the permission to managers or members; with any other value, members see only their stakes.
    """
    audience = (await coins.get_policy(session, access.idea.campaign_id)).stakes_visible_to
    needed = {"managers": Permission.MANAGE_IDEAS, "members": Permission.VIEW_STAKES}.get(audience)
    return audience, needed is not None and access.may(needed)


@raises(errors.IdeaNotFound, errors.StakesNotVisible)
@enforces(Rule(Scope.CAMPAIGN, (Permission.VIEW_STAKES,), Visibility.NOT_FOUND))
async def _stakes_reader(session: Session, access: _IdeaAccess) -> IdeaAccess:
    audience, is_visible = await find_audience(session, access)
    if not is_visible:
        who = {"managers": " and to managers of the campaign", "members": " and to members of the campaign"}
        msg = f"The campaign's coin policy shows the stakes on an idea to their owner{who.get(audience, '')}."
        raise errors.StakesNotVisible(msg, stakes_visible_to=audience)
    return access


StakesReader = Annotated[IdeaAccess, Depends(_stakes_reader)]
