"""The mails of requests to join: to the managers, at most one an hour for each campaign, and to the person after the decision."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import structlog
from sqlalchemy import func, select, text

from api.auth import service as auth
from api.campaigns.join_requests.models import JoinRequest, RequestStatus
from api.campaigns.mail_languages import known_language
from api.campaigns.models import Campaign, Membership
from api.kernel import clock
from api.kernel.jobs import Job, defer_each

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.models import User
    from api.kernel.container import KernelContainer
    from api.kernel.mail import Mail
    from api.kernel.mail_templates import MailContent
    from settings import Settings

log = structlog.get_logger(__name__)

PAUSE = timedelta(hours=1)
"""The managers of a campaign receive at most one mail in this time."""
_ATTEMPTS_MAX = 8  # the last one after about a day
_CAMPAIGNS_AT_ONCE = 500

_ORDER = text(
    """
    INSERT INTO app.join_request_notices AS n (campaign_id, ordered_at) VALUES (:campaign_id, :now)
    ON CONFLICT (campaign_id) DO UPDATE SET ordered_at = excluded.ordered_at WHERE n.ordered_at <= :before
    RETURNING n.campaign_id
    """
)
# campaigns with requests that are newer than the last mail, which was sent long enough ago
_DUE = text(
    """
    SELECT DISTINCT r.campaign_id FROM app.join_requests AS r
    JOIN app.join_request_notices AS n ON n.campaign_id = r.campaign_id
    WHERE r.status = 'open' AND r.requested_at > n.ordered_at AND n.ordered_at <= :before
    ORDER BY r.campaign_id LIMIT :campaigns_max
    """
)


async def order_notices(session: AsyncSession, campaign_id: UUID) -> bool:
    """Order a mail to each manager of the campaign, unless the last one was ordered less than an hour ago; returns whether."""
    now = clock.now()
    ordered = await session.scalar(_ORDER, {"campaign_id": campaign_id, "now": now, "before": now - PAUSE})
    if ordered is None:
        return False
    managers = await session.scalars(
        select(Membership.id)
        .where(Membership.campaign_id == campaign_id, Membership.role == "manager", Membership.left_at.is_(None))
        .order_by(Membership.id)
    )
    await defer_each(session, SEND_NOTICE, "membership_id", managers.all())
    return True


async def order_due_notices(container: KernelContainer) -> int:
    """Order the mails of campaigns whose managers have not been informed of the newest requests; returns of how many."""
    async with container.database.reading() as session:
        values = {"before": clock.now() - PAUSE, "campaigns_max": _CAMPAIGNS_AT_ONCE}
        due = (await session.scalars(_DUE, values)).all()
    ordered = 0
    for campaign_id in due:
        async with container.database.session() as session:
            ordered += await order_notices(session, campaign_id)
    return ordered


async def send_join_requests_notice(container: KernelContainer, *, membership_id: UUID) -> None:
    """Send a manager the number of open requests; nothing if there is none any more.

    Raises:
        MailUnavailable: it was not sent now; the job is retried.
    """
    async with container.database.reading() as session:
        membership = await session.get(Membership, membership_id)
        if membership is None or membership.left_at is not None or membership.role != "manager":
            return
        campaign = await session.get_one(Campaign, membership.campaign_id)
        requests = await session.scalar(
            select(func.count())
            .select_from(JoinRequest)
            .where(JoinRequest.campaign_id == campaign.id, JoinRequest.status == RequestStatus.OPEN)
        )
        user = await auth.get_user(session, membership.user_id)
    if not requests:
        return
    from api.campaigns.join_requests import mails  # with the templates it takes 0.1 s to import

    content = mails.JoinRequestsOpen(name=user.display_name, campaign_name=campaign.title, requests=str(requests))
    await _send(container, campaign, user, content, key=f"{membership_id} {clock.now():%Y-%m-%dT%H}")


async def send_join_decision(container: KernelContainer, *, request_id: UUID) -> None:
    """Send a person the decision about their request.

    Raises:
        MailUnavailable: it was not sent now; the job is retried.
    """
    async with container.database.reading() as session:
        request = await session.get(JoinRequest, request_id)
        if request is None or request.status not in {RequestStatus.APPROVED, RequestStatus.REFUSED}:
            return
        campaign = await session.get_one(Campaign, request.campaign_id)
        user = await auth.get_user(session, request.user_id)
    from api.campaigns.join_requests import mails

    content: MailContent
    if request.status == RequestStatus.APPROVED:
        content = mails.JoinRequestApproved(name=user.display_name, campaign_name=campaign.title)
    else:
        content = mails.JoinRequestRefused(
            name=user.display_name, campaign_name=campaign.title, reason=request.reason or ""
        )
    await _send(container, campaign, user, content, key=f"{request_id} {request.status}")


async def _send(container: KernelContainer, campaign: Campaign, user: User, content: MailContent, *, key: str) -> None:
    """Send a mail to a user whose account is active and whose address is confirmed."""
    from api.kernel.mail import MailRefused

    if user.email is None or not user.is_active or user.email_verified_at is None:
        return
    try:
        await container.mail.send(_write(container.settings, campaign, user, user.email, content, key))
    except MailRefused as error:
        log.warning("mail refused", campaign_id=str(campaign.id), user_id=str(user.id), error=str(error))


def _write(settings: Settings, campaign: Campaign, user: User, to: str, content: MailContent, key: str) -> Mail:
    from api.kernel.mail_templates import render

    return render(
        content,
        to=to,
        language=known_language(user.language or campaign.locale, settings),
        time_zone=user.time_zone or campaign.time_zone,
        key=key,
    )


SEND_NOTICE = Job(name="send_join_requests_notice", run=send_join_requests_notice, attempts_max=_ATTEMPTS_MAX)
SEND_DECISION = Job(name="send_join_decision", run=send_join_decision, attempts_max=_ATTEMPTS_MAX)
ORDER_NOTICES = Job(name="order_join_request_notices", run=order_due_notices, cron="*/10 * * * *")
