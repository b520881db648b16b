"""Who may see an idea, and who may take which step with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated
from uuid import UUID

from fastapi import Depends

from api.auth.dependencies import CurrentUser
from api.campaigns.dependencies import Access, access_to
from api.coins import service as coins
from api.ideas import errors, service
from api.ideas.models import Idea
from api.ideas.steps import PUBLIC, Status, Who, find_step
from api.kernel.errors import NotFound
from api.kernel.web import Session


@dataclass(frozen=True)
class IdeaAccess:
    """An idea that the caller may see, and the caller's access to its campaign."""

    idea: Idea
    campaign: Access

    @property
    def is_author(self) -> bool:
        """Whether the idea is the caller's own."""
        return self.idea.author_id == self.campaign.caller.user_id

    def check_step(self, target: Status) -> None:
        """Raise StepNotYours unless the caller is who takes this step."""
        step = find_step(Status(self.idea.status), target)
        if step is None:
            return  # refused by name when it is taken, under the idea's lock
        allowed = {Who.AUTHOR: self.is_author and self.campaign.role is not None, Who.MANAGER: self.campaign.manages}
        if not allowed.get(step.who, False):
            who = "its author" if step.who is Who.AUTHOR else "a manager of the campaign"
            msg = f"To {step.verb} an idea is for {who}."
            raise errors.StepNotYours(msg, who=step.who)


async def _idea(session: Session, caller: CurrentUser, idea_id: UUID) -> IdeaAccess:
    idea = await service.get_idea(session, idea_id)
    try:
        campaign = await access_to(session, caller, idea.campaign_id)
    except NotFound:
        campaign = None
    is_visible = campaign is not None and (
        Status(idea.status) in PUBLIC or campaign.manages or caller.is_executive or idea.author_id == caller.user_id
    )
    if campaign is None or not is_visible:
        msg = "There is no idea with this id that you may see."
        raise errors.IdeaNotFound(msg)
    return IdeaAccess(idea, campaign)


IdeaReader = Annotated[IdeaAccess, Depends(_idea)]


async def _idea_manager(access: IdeaReader) -> IdeaAccess:
    if not access.campaign.manages:
        msg = "This takes a manager of the campaign."
        raise errors.StepNotYours(msg, who=Who.MANAGER)
    return access


IdeaManager = Annotated[IdeaAccess, Depends(_idea_manager)]


async def _stakes_reader(session: Session, access: IdeaReader) -> IdeaAccess:
    policy = await coins.get_policy(session, access.idea.campaign_id)
    audience = policy.stakes_visible_to
    is_member = access.campaign.role is not None
    is_told = audience != "self" and (access.campaign.manages or (audience == "members" and is_member))
    if not is_told:
        who = {"self": "each member", "managers": "the campaign's managers", "members": "the campaign's members"}
        msg = f"Whose coins lie on an idea is shown to {who[audience]} alone, as the campaign's coin policy says."
        raise errors.StakesNotVisible(msg, stakes_visible_to=audience)
    return access


StakesReader = Annotated[IdeaAccess, Depends(_stakes_reader)]
