"""Mails about campaigns. Each class has a template for each language in the folders next to this file."""

from __future__ import annotations

from dataclasses import dataclass

from api.kernel.mail_templates import MailContent


@dataclass(frozen=True, kw_only=True)
class CampaignInvitation(MailContent):
    """Sent to an address that a manager invites to a campaign. The title of the campaign is shown as names are."""

    link: str
    inviter_name: str
    campaign_name: str
    valid_days: int


EXAMPLES: tuple[MailContent, ...] = (
    CampaignInvitation(
        link="https://ideas.example.org/campaign-invitation?token=pN3v8sYc4LwEo9RbN1uGhJdq7ZkP0x2mVt5fKaX6iQe",
        inviter_name="Nadia Brathwaite",
        campaign_name="A better way to work",
        valid_days=14,
    ),
)
