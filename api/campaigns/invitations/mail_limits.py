"""The limit of mails of invitations: an address receives at most five mails of one campaign in 24 hours.

The limit counts mails that were ordered, whatever became of the invitation: inviting, revoking and inviting again sends no more.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from api.campaigns import errors
from api.kernel import clock

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

MAILS_MAX = 5
PERIOD = timedelta(hours=24)

# when the oldest of the last mails leaves the period
_EXHAUSTED = text(
    """
    SELECT a.email, last.ordered_at
    FROM unnest(CAST(:emails AS text[])) AS a (email)
    CROSS JOIN LATERAL (
        SELECT m.ordered_at FROM app.campaign_invitation_mails AS m
        WHERE m.campaign_id = :campaign_id AND m.email = lower(a.email) AND m.ordered_at > :since
        ORDER BY m.ordered_at DESC OFFSET :others_max LIMIT 1
    ) AS last
    """
)
_ORDER = text(
    """
    INSERT INTO app.campaign_invitation_mails (campaign_id, email, ordered_at)
    SELECT :campaign_id, lower(a.email), :ordered_at FROM unnest(CAST(:emails AS text[])) AS a (email)
    """
)
DELETE_OLD_MAILS = text(
    """
    DELETE FROM app.campaign_invitation_mails AS m
    WHERE m.id = ANY (ARRAY(
        SELECT x.id FROM app.campaign_invitation_mails AS x
        WHERE x.ordered_at < now() - make_interval(days => :kept_days)
        LIMIT :rows_max
    ))
    """
)


async def find_exhausted(session: AsyncSession, campaign_id: UUID, emails: Collection[str]) -> dict[str, datetime]:
    """Those of the addresses that cannot receive another mail now, each with the moment from which they can."""
    if not emails:
        return {}
    since = clock.now() - PERIOD
    values = {"campaign_id": campaign_id, "emails": list(emails), "since": since, "others_max": MAILS_MAX - 1}
    return {row.email: row.ordered_at + PERIOD for row in await session.execute(_EXHAUSTED, values)}


async def order_mails(session: AsyncSession, campaign_id: UUID, emails: Collection[str]) -> None:
    """Count a mail for each address. The caller holds the campaign's lock.

    Raises:
        InvitationMailsExhausted: some of the addresses have received the largest number of mails.
    """
    if not emails:
        return
    exhausted = await find_exhausted(session, campaign_id, emails)
    if exhausted:
        possible_at = min(exhausted.values())
        msg = (
            f"{len(exhausted)} of the addresses have received {MAILS_MAX} invitations to this campaign in the last 24 hours; they "
            f"can be invited again from {possible_at.isoformat()} on."
        )
        raise errors.InvitationMailsExhausted(msg, emails=sorted(exhausted), possible_at=possible_at)
    values = {"campaign_id": campaign_id, "emails": list(emails), "ordered_at": clock.now()}
    await session.execute(_ORDER, values)
