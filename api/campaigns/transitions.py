"""Commands that change the status, the dates or the coin policy of a campaign."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from api.campaigns import errors
from api.campaigns.dates import NAMES, Dates
from api.campaigns.lifecycle import ALLOWED, RUNNING, TARGETS, CampaignStatus, Command, Phase, next_statuses, phase_at
from api.campaigns.models import Campaign, Membership
from api.campaigns.queries import get_campaign
from api.coins import service as coins
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.permissions import TAKING_PART

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.campaigns.dates import CoinWindow, Stage
    from api.coins.policies import PolicyRead, PolicyWrite


def dates_of(campaign: Campaign) -> Dates:
    """The campaign's dates."""
    return Dates(**{name: getattr(campaign, name) for name in NAMES})


async def list_stages(session: AsyncSession, campaign: Campaign) -> list[Stage]:
    """The stages of the campaign, by its dates and those of its coin policy."""
    return dates_of(campaign).stages(await coins.get_policy(session, campaign.id))


async def find_allocation(session: AsyncSession, campaign: Campaign) -> Stage:
    """The stage in which members can move coins, by the dates of the campaign and of its coin policy."""
    return dates_of(campaign).allocation(await coins.get_policy(session, campaign.id))


async def list_dates(session: AsyncSession, campaign: Campaign) -> dict[str, datetime]:
    """The dates of the campaign and of its coin policy that are set, by name."""
    policy = await coins.get_policy(session, campaign.id)
    window = {"allocation_opens_at": policy.allocation_opens_at, "allocate_until": policy.allocate_until}
    dates = {name: getattr(campaign, name) for name in NAMES} | window
    return {name: at for name, at in dates.items() if at is not None}


def check_dates(dates: Dates, policy: CoinWindow) -> None:
    """Check that the dates do not contradict each other.

    Raises:
        DatesOutOfOrder: two dates do; the detail names the first pair.
    """
    if contradiction := dates.find_contradiction(policy):
        msg = f"{contradiction}."
        raise errors.DatesOutOfOrder(msg)


async def check_command(session: AsyncSession, campaign: Campaign, command: Command) -> None:
    """Check that the campaign's phase, by the database's clock, allows a command.

    If the campaign is locked, the result is valid until the end of the transaction.

    Raises:
        CampaignNotActive: the phase does not allow it.
    """
    phase = phase_at(campaign.status, campaign.starts_at, campaign.ends_at, await clock.database_now(session))
    if phase not in ALLOWED[command]:
        raise _not_allowed(campaign, command, phase)


def _not_allowed(campaign: Campaign, command: Command, phase: Phase) -> errors.CampaignNotActive:
    date: dict[str, datetime] = {}
    if phase is Phase.UPCOMING and campaign.starts_at is not None:
        date = {"starts_at": campaign.starts_at}
    if phase is Phase.CLOSED and campaign.ends_at is not None:
        date = {"ends_at": campaign.ends_at}
    moment = "".join(f" ({name} is {value.isoformat()})" for name, value in date.items())
    phases = [allowed.value for allowed in Phase if allowed in ALLOWED[command]]
    msg = f"The campaign is {phase}{moment}; you can {command} only while it is {' or '.join(phases)}."
    return errors.CampaignNotActive(msg, campaign_status=campaign.status, phase=phase, allowed_in=phases, **date)


async def activate_campaign(session: AsyncSession, campaign: Campaign, *, actor_id: UUID) -> Campaign:
    """Activate a draft: its members get their coins. Ideas and movements of coins are possible from `starts_at` on."""
    campaign, _ = await _take_step(session, campaign, Command.ACTIVATE, actor_id)
    campaign.activated_at = clock.now()
    await session.flush()  # a later lock in this session reads the row again
    members = await session.scalars(
        select(Membership.user_id).where(
            Membership.campaign_id == campaign.id, Membership.left_at.is_(None), Membership.role.in_(TAKING_PART)
        )
    )
    granted = await coins.grant_coins(session, campaign.id, members.all(), actor_id=actor_id)
    granted_coins = len(granted) * (await coins.get_policy(session, campaign.id)).coins_per_member
    await record_event(
        session,
        payloads.CampaignActivated(
            members_granted=len(granted),
            before=payloads.CampaignState(status=CampaignStatus.DRAFT, wallet_coins=0),
            after=payloads.CampaignState(status=campaign.status, wallet_coins=granted_coins),
        ),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    return campaign


async def close_campaign(session: AsyncSession, campaign: Campaign) -> None:
    """Set the status of an active or paused campaign whose end has passed. The caller holds its lock and has checked the time.

    The time of the event is the end of the campaign. Nothing else changes, because the dates have applied since then.
    """
    before = campaign.status
    assert before in RUNNING, f"a campaign that is {before} cannot be closed"
    assert campaign.ends_at is not None, "a campaign without an end cannot be closed"
    _set_status(campaign, CampaignStatus.CLOSED, actor_id=None)
    await session.flush()
    if before == CampaignStatus.PAUSED:
        await coins.set_pause(session, campaign.id, None)
    with clock.at(campaign.ends_at):
        await record_event(
            session,
            payloads.CampaignClosed(
                ends_at=campaign.ends_at,
                before=payloads.CampaignState(status=before),
                after=payloads.CampaignState(status=campaign.status),
            ),
            actor_id=None,
            campaign_id=campaign.id,
        )


async def mark_completed(session: AsyncSession, campaign: Campaign, *, actor_id: UUID | None) -> Campaign:
    """Complete a campaign and settle its coins. Part of the command `api.ideas.service.complete_campaign`."""
    campaign, before = await _take_step(session, campaign, Command.COMPLETE, actor_id)
    campaign.completed_at = clock.now()
    await session.flush()  # a later lock in this session reads the row again
    closing = await coins.close_ledger(session, campaign.id, actor_id=actor_id)
    await record_event(
        session,
        payloads.CampaignCompleted(
            is_settling=closing.is_settling,
            before=payloads.CampaignState(status=before, wallet_coins=closing.wallet_coins),
            after=payloads.CampaignState(
                status=campaign.status, wallet_coins=closing.wallet_coins if closing.is_settling else 0
            ),
        ),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )
    return campaign


async def pause_campaign(session: AsyncSession, campaign: Campaign, *, actor_id: UUID) -> Campaign:
    """Pause an active campaign: no ideas are submitted and no coins move. Its dates remain in force."""
    campaign, before = await _take_step(session, campaign, Command.PAUSE, actor_id)
    await coins.set_pause(session, campaign.id, campaign.paused_at)
    await _record_step(session, payloads.CampaignPaused, campaign, before, actor_id)
    return campaign


async def resume_campaign(session: AsyncSession, campaign: Campaign, *, actor_id: UUID) -> Campaign:
    """End the pause of a campaign."""
    campaign, before = await _take_step(session, campaign, Command.RESUME, actor_id)
    await coins.set_pause(session, campaign.id, None)
    await _record_step(session, payloads.CampaignResumed, campaign, before, actor_id)
    return campaign


async def archive_campaign(session: AsyncSession, campaign: Campaign, *, actor_id: UUID) -> Campaign:
    """Archive a completed campaign or a draft."""
    campaign, before = await _take_step(session, campaign, Command.ARCHIVE, actor_id)
    campaign.archived_at = clock.now()
    await session.flush()  # a later lock in this session reads the row again
    await _record_step(session, payloads.CampaignArchived, campaign, before, actor_id)
    return campaign


async def _record_step(
    session: AsyncSession,
    payload: type[payloads.Change[payloads.CampaignState]],
    campaign: Campaign,
    before: str,
    actor_id: UUID,
) -> None:
    states = payloads.CampaignState(status=before), payloads.CampaignState(status=campaign.status)
    await record_event(session, payload(before=states[0], after=states[1]), actor_id=actor_id, campaign_id=campaign.id)


async def _take_step(
    session: AsyncSession, campaign: Campaign, command: Command, actor_id: UUID | None
) -> tuple[Campaign, str]:
    """Lock the campaign and set its new status; returns the campaign and its previous status."""
    campaign = await get_campaign(session, campaign.id, lock="change")
    before, target = campaign.status, TARGETS[command]
    now = await clock.database_now(session)
    phase = phase_at(before, campaign.starts_at, campaign.ends_at, now)
    if phase not in ALLOWED[command]:
        allowed = next_statuses(phase)
        msg = f"A campaign that is {before} cannot become {target}; allowed: {', '.join(allowed) or 'none'}."
        raise errors.IllegalCampaignStep(msg, from_status=before, to_status=target, allowed=allowed)
    _set_status(campaign, target, actor_id=actor_id, paused_at=now if target is CampaignStatus.PAUSED else None)
    await session.flush()
    return campaign, before


def _set_status(
    campaign: Campaign, status: CampaignStatus, *, actor_id: UUID | None, paused_at: datetime | None = None
) -> None:
    campaign.status, campaign.paused_at = status, paused_at
    campaign.version += 1
    campaign.updated_by = actor_id


async def change_dates(
    session: AsyncSession, campaign: Campaign, changes: dict[str, datetime | None], *, actor_id: UUID
) -> None:
    """Change dates by their names; None removes one. Part of the command `api.campaigns.editing.edit_campaign`.

    The ledger's window changes in the same transaction. A closed campaign becomes active again if its new end has not
    passed or its end is removed. With an end in the past, an active campaign is closed from the commit on.

    Raises:
        DatesOutOfOrder: the dates would contradict each other or the coin policy.
    """
    old, before = dates_of(campaign), campaign.status
    new = replace(old, **changes)
    if new == old:
        return
    check_dates(new, await coins.get_policy(session, campaign.id))
    for name in NAMES:
        setattr(campaign, name, getattr(new, name))
    if before == CampaignStatus.CLOSED:
        moment = await clock.database_now(session)
        if phase_at(CampaignStatus.ACTIVE, new.starts_at, new.ends_at, moment) is not Phase.CLOSED:
            campaign.status = CampaignStatus.ACTIVE
    await session.flush()
    await coins.set_window(session, campaign.id, opens_at=new.starts_at, closes_at=new.ends_at)
    await record_event(
        session,
        payloads.CampaignDatesChanged(before=_dates_state(before, old), after=_dates_state(campaign.status, new)),
        actor_id=actor_id,
        campaign_id=campaign.id,
    )


def _dates_state(status: str, dates: Dates) -> payloads.CampaignDatesState:
    values: dict[str, Any] = {name: getattr(dates, name) for name in NAMES}
    return payloads.CampaignDatesState(status=status, **values)


async def set_coin_policy(
    session: AsyncSession, campaign: Campaign, policy: PolicyWrite, *, actor_id: UUID
) -> PolicyRead:
    """Store a new version of the coin policy, in force immediately.

    Raises:
        DatesOutOfOrder: its window is not within the campaign's dates.
        PolicyFrozen: it would change a field that members have relied on.
    """
    campaign = await get_campaign(session, campaign.id, lock="join")  # the dates do not change meanwhile
    check_dates(dates_of(campaign), policy)
    return await coins.set_policy(session, campaign.id, policy, actor_id=actor_id)
