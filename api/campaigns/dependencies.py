"""Access of the caller to a campaign, checked before the route runs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated
from uuid import UUID

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession

from api.auth.dependencies import AnyUser, CurrentUser, Principal, TokenHolder
from api.campaigns import errors, service
from api.campaigns.models import Campaign
from api.kernel.contract import raises
from api.kernel.errors import Forbidden
from api.kernel.permissions import CampaignRole, Permission, Relation, SystemRole, grants, roles_with
from api.kernel.rules import Rule, Scope, Visibility, enforces
from api.kernel.scopes import SCOPE_OF
from api.kernel.web import Reading, Session

PUBLIC_VISIBILITY = "open"


@dataclass(frozen=True)
class Access:
    """A campaign that the caller may see, and the caller's permissions in it."""

    campaign: Campaign
    role: str | None
    caller: Principal

    def may(self, permission: Permission, *relations: Relation) -> bool:
        """Whether the caller has the permission in this campaign, or by a relation to one of its resources."""
        return self.caller.may(permission, (*_roles(self.campaign, self.role), *relations))

    def check(self, permission: Permission) -> None:
        """Refuse a caller who does not have the permission.

        Raises:
            NotAMember: all members of the campaign have the permission.
            NotAManager: only managers of the campaign, and for some permissions executives, have it.
        """
        if not self.may(permission):
            raise refusal(permission)


async def access_to(session: AsyncSession, caller: Principal, campaign_id: UUID) -> Access:
    """The caller's access to a campaign.

    Raises:
        CampaignNotFound: it does not exist or the caller may not see it; the response is the same.
    """
    access = Access(*await service.get_campaign_and_role(session, campaign_id, caller.user_id), caller)
    if not access.may(Permission.VIEW_CAMPAIGN):
        raise _not_found()
    return access


async def visible_campaign(session: AsyncSession, caller: Principal | None, campaign_id: UUID) -> Campaign:
    """The campaign, if the caller may see it; without a log-in, a public one.

    Raises:
        CampaignNotFound: it does not exist or the caller may not see it; the response is the same.
    """
    if caller is not None:
        return (await access_to(session, caller, campaign_id)).campaign
    campaign = await service.get_campaign(session, campaign_id)
    if not is_public(campaign):
        raise _not_found()
    return campaign


def is_public(campaign: Campaign) -> bool:
    """Whether the campaign is visible without a log-in."""
    return grants(_roles(campaign, None), Permission.VIEW_CAMPAIGN)


def refusal(permission: Permission) -> Forbidden:
    """The error for a caller who may see the campaign but lacks the permission."""
    roles = roles_with(permission)
    if CampaignRole.OBSERVER in roles:
        msg = "Only a member of the campaign may do this; join it first."
        return errors.NotAMember(msg, permission=permission)
    if CampaignRole.MEMBER in roles:
        msg = "Only a member of the campaign may do this, and not an observer; join it first."
        return errors.NotAMember(msg, permission=permission)
    others = " or an executive" if SystemRole.EXECUTIVE in roles else ""
    msg = f"Only a manager of the campaign{others} may do this."
    return errors.NotAManager(msg, permission=permission)


@cache
def requires_in_campaign(*permissions: Permission) -> Callable[[Access], Awaitable[Access]]:
    """A dependency that returns the access to the campaign in the path, if the caller has one of the permissions in it."""

    @raises(errors.CampaignNotFound, type(refusal(permissions[0])))
    @enforces(Rule(Scope.CAMPAIGN, permissions, Visibility.NOT_FOUND))
    async def check(access: _CampaignAccess) -> Access:
        if not any(access.may(permission) for permission in permissions):
            raise refusal(permissions[0])
        return access

    return check


@cache
def reads_in_campaign(permission: Permission) -> Callable[[Access], Awaitable[Access]]:
    """As :func:`requires_in_campaign`, for routes that are read very often: it uses their `Reading`, and no session."""

    @raises(errors.CampaignNotFound, type(refusal(permission)))
    @enforces(Rule(Scope.CAMPAIGN, (permission,), Visibility.NOT_FOUND))
    async def check(access: _ReadingAccess) -> Access:
        if not access.may(permission):
            raise refusal(permission)
        return access

    return check


async def _reading_access(statements: Reading, caller: TokenHolder, campaign_id: UUID) -> Access:
    access = Access(*await service.read_campaign_and_role(statements, campaign_id, caller.user_id), caller)
    if not access.may(Permission.VIEW_CAMPAIGN):
        raise _not_found()
    return access


_ReadingAccess = Annotated[Access, Depends(_reading_access)]


async def _access(session: Session, caller: CurrentUser, campaign_id: UUID) -> Access:
    return await access_to(session, caller, campaign_id)


_CampaignAccess = Annotated[Access, Depends(_access)]


@raises(errors.CampaignNotFound)
@enforces(Rule(Scope.PUBLIC, (Permission.VIEW_CAMPAIGN,), Visibility.NOT_FOUND))
async def _public_campaign(session: Session, caller: AnyUser, campaign_id: UUID) -> Campaign:
    return await visible_campaign(session, caller, campaign_id)


@enforces(Rule(Scope.SELF, token_scopes=(SCOPE_OF[Permission.VIEW_CAMPAIGN],)))
async def _campaign_reader(caller: CurrentUser) -> Principal:
    return caller


CampaignReader = Annotated[Principal, Depends(_campaign_reader)]
"""Any user, for the list of the campaigns that they may see."""

PublicCampaign = Annotated[Campaign, Depends(_public_campaign)]
"""The campaign in the path: a public one for everyone, also without a log-in; a hidden one if the caller may see it."""


def _roles(campaign: Campaign, role: str | None) -> tuple[str, ...]:
    is_open = campaign.visibility == PUBLIC_VISIBILITY and campaign.status != "draft"
    return (*((role,) if role else ()), *((Relation.VISITOR,) if is_open else ()))


def _not_found() -> errors.CampaignNotFound:
    return errors.CampaignNotFound(service.NOT_FOUND)
