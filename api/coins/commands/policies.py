"""The coin policy of a campaign, and its versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from api.coins import errors
from api.coins.policies import PolicyRead, PolicyWrite
from api.coins.reading import queries
from api.events import payloads
from api.events.service import record_event

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from sqlalchemy.ext.asyncio import AsyncSession


async def set_policy(
    session: AsyncSession, campaign_id: UUID, policy: PolicyWrite, *, actor_id: UUID | None
) -> PolicyRead:
    """Store a new version of the policy, which takes effect immediately; a policy that is equal changes nothing.

    The caller excludes other changes of the policy.

    Raises:
        PolicyFrozen: it would change a field that members have relied on.
    """
    present = await get_policy(session, campaign_id)
    if present.model_dump(include=set(PolicyWrite.model_fields)) == policy.model_dump():
        return present
    result = await session.execute(
        text("SELECT version, frozen FROM app.coins_set_policy(:campaign_id, CAST(:policy AS jsonb), :actor_id)"),
        {"campaign_id": campaign_id, "policy": policy.model_dump_json(), "actor_id": actor_id},
    )
    row = result.one()
    if row.frozen:
        msg = f"Frozen because members have relied on it: {', '.join(row.frozen)}."
        raise errors.PolicyFrozen(msg, fields=row.frozen)
    new, old, *_ = await list_policies(session, campaign_id)
    after, before = (version.model_dump(mode="json", include=set(PolicyWrite.model_fields)) for version in (new, old))
    changed = [name for name in after if after[name] != before[name]]
    await record_event(
        session,
        payloads.CoinPolicyChanged(
            policy_version=row.version,
            before={name: before[name] for name in changed},
            after={name: after[name] for name in changed},
        ),
        actor_id=actor_id,
        campaign_id=campaign_id,
    )
    return new


async def get_policy(session: AsyncSession, campaign_id: UUID) -> PolicyRead:
    """The version of a campaign's policy that is in force."""
    rows = await session.execute(queries.POLICY, {"campaign_id": campaign_id})
    return PolicyRead.model_validate(rows.one())


async def list_policies(session: AsyncSession, campaign_id: UUID) -> list[PolicyRead]:
    """All versions of a campaign's policy, newest first; the first is in force."""
    rows = await session.execute(queries.POLICIES, {"campaign_id": campaign_id})
    return [PolicyRead.model_validate(row) for row in rows]


async def find_disclosing_campaigns(session: AsyncSession, campaign_ids: Collection[UUID]) -> frozenset[UUID]:
    """Those of the campaigns whose policy in force shows the stakes and wallets of members to managers."""
    rows = await session.execute(queries.POLICIES_IN_FORCE, {"campaign_ids": list(campaign_ids)})
    return frozenset(row.campaign_id for row in rows if PolicyRead.model_validate(row).shows_stakes_to_managers)
