"""Mails about requests to join a campaign. Each class has a template for each language in the folders next to this file."""

from __future__ import annotations

from dataclasses import dataclass

from api.kernel.mail_templates import MailContent


@dataclass(frozen=True, kw_only=True)
class JoinRequestsOpen(MailContent):
    """Sent to the managers of a campaign, with the number of open requests. Titles of campaigns are shown as names are."""

    name: str
    campaign_name: str
    requests: str


@dataclass(frozen=True, kw_only=True)
class JoinRequestApproved(MailContent):
    """Sent to a person whose request a manager has approved."""

    name: str
    campaign_name: str


@dataclass(frozen=True, kw_only=True)
class JoinRequestRefused(MailContent):
    """Sent to a person whose request a manager has refused, with the reason."""

    name: str
    campaign_name: str
    reason: str


_CAMPAIGN = "A better way to work"

EXAMPLES: tuple[MailContent, ...] = (
    JoinRequestsOpen(name="Nadia Brathwaite", campaign_name=_CAMPAIGN, requests="3"),
    JoinRequestApproved(name="Ruth Okafor", campaign_name=_CAMPAIGN),
    JoinRequestRefused(
        name="Ruth Okafor", campaign_name=_CAMPAIGN, reason="This campaign is for people who work at the north site."
    ),
)
