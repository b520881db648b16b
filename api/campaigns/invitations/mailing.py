"""The mails of invitations: jobs that make the link, send the mail, and delete old invitations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from uuid import UUID

import structlog
from sqlalchemy import select, text

from api.auth import service as auth
from api.campaigns.invitations.mail_limits import DELETE_OLD_MAILS
from api.campaigns.invitations.models import Invitation, InvitationStatus
from api.campaigns.mail_languages import known_language
from api.campaigns.models import Campaign
from api.kernel import clock
from api.kernel.db import statements_of
from api.kernel.jobs import Job
from api.kernel.stored_secrets import hash_secret, new_secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.container import KernelContainer
    from api.kernel.mail import Mail
    from settings import Settings

log = structlog.get_logger(__name__)

ATTEMPTS_MAX = 8  # the last one after about a day
KEPT_DAYS = 90  # after the end of an invitation, which has an address
_MAILS_KEPT_DAYS = 2  # they limit mails for a day

_DELETE_OLD = text(
    """
    DELETE FROM app.campaign_invitations AS i
    WHERE i.id = ANY (ARRAY(
        SELECT x.id FROM app.campaign_invitations AS x
        WHERE coalesce(x.accepted_at, x.revoked_at, x.expires_at) < now() - make_interval(days => :kept_days)
        LIMIT :rows_max
    ))
    """
)


@dataclass(frozen=True)
class Prepared:
    """What the mail of an invitation contains; `language` is that of the person's account, or of the campaign."""

    id: UUID
    to: str
    secret: str
    inviter_name: str
    campaign_name: str
    language: str
    time_zone: str


def lifetime(settings: Settings) -> timedelta:
    """How long the link of an invitation is valid after it was ordered, and again after it was sent."""
    return timedelta(days=settings.auth.campaign_invitation_days)


async def prepare_mail(session: AsyncSession, settings: Settings, invitation_id: UUID) -> Prepared | None:
    """Create the secret of the link, which voids that of an earlier mail; None if no mail is to be sent."""
    invitation = await session.get(Invitation, invitation_id, with_for_update=True, populate_existing=True)
    if invitation is None or invitation.sent_at is not None or invitation.status is not InvitationStatus.OPEN:
        return None
    campaign = await session.scalar(select(Campaign).where(Campaign.id == invitation.campaign_id))
    assert campaign is not None, "a foreign key"
    user = await auth.find_confirmed_user(session, invitation.email)
    names = await auth.find_names(await statements_of(session), {invitation.created_by})
    secret = new_secret()
    invitation.secret_hash = hash_secret(secret)
    invitation.expires_at = clock.now() + lifetime(settings)
    await session.flush()
    return Prepared(
        id=invitation.id,
        to=invitation.email,
        secret=secret,
        inviter_name=names.get(invitation.created_by, "") if invitation.created_by else "",
        campaign_name=campaign.title,
        language=(user.language if user else None) or campaign.locale,
        time_zone=(user.time_zone if user else None) or campaign.time_zone,
    )


def write_mail(settings: Settings, prepared: Prepared) -> Mail:
    """The mail; a language of a later version is not known here."""
    from api.campaigns.invitations import mails  # with the templates it takes 0.1 s to import
    from api.kernel.mail_templates import render

    link = settings.addresses.public_url(f"/campaign-invitation?{urlencode({'token': prepared.secret})}")
    return render(
        mails.CampaignInvitation(
            link=link,
            inviter_name=prepared.inviter_name,
            campaign_name=prepared.campaign_name,
            valid_days=settings.auth.campaign_invitation_days,
        ),
        to=prepared.to,
        language=known_language(prepared.language, settings),
        time_zone=prepared.time_zone,
        key=f"{prepared.id} {hash_secret(prepared.secret).hex()[:16]}",
    )


async def send_campaign_invitation(container: KernelContainer, *, invitation_id: UUID) -> None:
    """Send the mail of an invitation.

    Raises:
        MailUnavailable: it was not sent now; the job is retried.
    """
    from api.kernel.mail import MailRefused

    async with container.database.session() as session:
        prepared = await prepare_mail(session, container.settings, invitation_id)
    if prepared is None:
        return
    # the link is committed before the mail leaves, and no transaction is open meanwhile
    try:
        await container.mail.send(write_mail(container.settings, prepared))
    except MailRefused as error:
        log.warning("mail refused", invitation_id=str(invitation_id), error=str(error))
    async with container.database.session() as session:
        invitation = await session.get_one(Invitation, invitation_id, with_for_update=True, populate_existing=True)
        if invitation.secret_hash == hash_secret(prepared.secret):  # not ordered again meanwhile
            invitation.sent_at = clock.now()


async def delete_old_invitations(container: KernelContainer) -> int:
    """Delete the invitations that ended more than 90 days ago, and the old mails that limit others; returns how many invitations."""
    await container.database.delete_in_parts(DELETE_OLD_MAILS, kept_days=_MAILS_KEPT_DAYS)
    return await container.database.delete_in_parts(_DELETE_OLD, kept_days=KEPT_DAYS)


SEND = Job(name="send_campaign_invitation", run=send_campaign_invitation, attempts_max=ATTEMPTS_MAX)
DELETE_OLD = Job(name="delete_old_invitations", run=delete_old_invitations, cron="57 1 * * *")
