"""The reasons for which ideas of a campaign are rejected: a list of the campaign, or the default one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from api.campaigns import service as campaigns
from api.events import idea_payloads
from api.events.service import record_event
from api.ideas.models import RejectionReason
from api.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.models import Campaign

OTHER = "other"
"""The code of a rejection without a code; every list has it."""


@dataclass(frozen=True)
class Reason:
    """A code for programs and figures, and its label for people."""

    code: str
    label: str


DEFAULTS = (
    Reason("out_of_scope", "Outside the scope of the campaign"),
    Reason("duplicate", "The same as another idea"),
    Reason("not_feasible", "Not feasible"),
    Reason("too_costly", "Too costly"),
    Reason("already_exists", "Exists or is planned already"),
    Reason(OTHER, "Another reason"),
)


async def list_reasons(session: AsyncSession, campaign_id: UUID) -> list[Reason]:
    """The reasons of a campaign in their order; the default ones if it has set none."""
    rows = await session.execute(
        select(RejectionReason.code, RejectionReason.label)
        .where(RejectionReason.campaign_id == campaign_id)
        .order_by(RejectionReason.position)
    )
    return [Reason(row.code, row.label) for row in rows] or list(DEFAULTS)


async def set_reasons(
    session: AsyncSession, campaign: Campaign, reasons: Sequence[Reason], *, actor_id: UUID
) -> list[Reason]:
    """Replace the reasons of a campaign. Ideas that were rejected for a reason keep its code.

    Raises:
        InvalidInput: a code occurs twice, or `other` is missing.
    """
    codes = [reason.code for reason in reasons]
    repeated = sorted({code for code in codes if codes.count(code) > 1})
    if repeated:
        msg = f"Each code occurs once; repeated: {', '.join(repeated)}."
        raise InvalidInput(msg)
    if OTHER not in codes:
        msg = f"The list needs the code {OTHER!r}, for a rejection without a code."
        raise InvalidInput(msg)
    await campaigns.get_campaign(session, campaign.id, lock="change")
    if list(reasons) == await list_reasons(session, campaign.id):
        return list(reasons)
    await session.execute(delete(RejectionReason).where(RejectionReason.campaign_id == campaign.id))
    session.add_all(
        RejectionReason(campaign_id=campaign.id, code=reason.code, label=reason.label, position=position)
        for position, reason in enumerate(reasons)
    )
    await session.flush()
    await record_event(
        session,
        idea_payloads.RejectionReasonsChanged(codes=tuple(codes)),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    return list(reasons)
