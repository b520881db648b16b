"""Who may do what in a campaign, checked before the route runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from api.auth.dependencies import CurrentUser, Principal
from api.campaigns import errors, service
from api.campaigns.models import Campaign
from api.kernel.web import Session


@dataclass(frozen=True)
class Access:
    """A campaign that the caller may see, and what the caller is in it."""

    campaign: Campaign
    caller: Principal
    role: str | None

    @property
    def manages(self) -> bool:
        """Whether the caller runs this campaign; a system administrator runs all."""
        return self.role == "manager" or self.caller.is_admin

    @property
    def oversees(self) -> bool:
        """Whether the caller reads this campaign's figures: who runs it, and executives."""
        return self.manages or self.caller.is_executive


async def access_to(session: Session, caller: Principal, campaign_id: UUID) -> Access:
    """The caller's access to a campaign.

    Raises:
        CampaignNotFound: there is none, or it is a draft or for members only and the caller is none.
    """
    campaign = await service.get_campaign(session, campaign_id)
    membership = await service.find_membership(session, campaign_id, caller.user_id)
    is_public = campaign.visibility == "open" and campaign.status != "draft"
    if membership is None and not is_public and not (caller.is_admin or caller.is_executive):
        msg = "There is no campaign with this id that you may see."
        raise errors.CampaignNotFound(msg)
    return Access(campaign, caller, membership.role if membership else None)


async def _reader(session: Session, caller: CurrentUser, campaign_id: UUID) -> Access:
    return await access_to(session, caller, campaign_id)


CampaignReader = Annotated[Access, Depends(_reader)]


async def _member(access: CampaignReader) -> Access:
    if access.role is None:
        msg = "This takes a member of the campaign; join it first."
        raise errors.NotAMember(msg)
    return access


async def _manager(access: CampaignReader) -> Access:
    if not access.manages:
        msg = "This takes a manager of the campaign."
        raise errors.NotAManager(msg)
    return access


async def _overseer(access: CampaignReader) -> Access:
    if not access.oversees:
        msg = "This takes a manager of the campaign, or an executive."
        raise errors.NotAManager(msg)
    return access


CampaignMember = Annotated[Access, Depends(_member)]
CampaignManager = Annotated[Access, Depends(_manager)]
CampaignOverseer = Annotated[Access, Depends(_overseer)]
