"""The audit trail of a campaign's coins, for its managers."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from api.coins.commands.policies import get_policy
from api.events.catalogue import kinds_where
from api.kernel.schemas import ResponseModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

_AUDITED = kinds_where(concerns_coins=True)
# the actor and the user of these show whose coins are on which idea
_PERSONAL = kinds_where(concerns_coins=True, is_personal=True)

# The balances after a movement are stored in its postings; other commands store them in their event. A policy that hides
# stakes hides the wallets of single members as well: what is missing from a wallet is on ideas, and the wallet's balance in
# a correction, which names its member, would identify the member in other movements.
_WALLET_NAMES = "'{wallet_coins,wallet_before_coins,wallet_after_coins}'"
_TEMPLATE = """
    SELECT e.event_id, e.occurred_at, e.recorded_at, e.kind, e.idea_id,
        -- the request of a manager who removes a member names the member in another event
        CASE WHEN e.is_private AND e.actor_id <> e.user_id THEN NULL ELSE e.request_id END AS request_id,
        CASE WHEN e.is_private THEN NULL ELSE e.actor_id END AS actor_id,
        CASE WHEN e.is_private THEN NULL ELSE e.user_id END AS user_id,
        e.data - 'before' - 'after' - e.hidden_names AS data,
        coalesce(e.data -> 'before', b.before, '{{}}') - e.hidden_names AS before,
        coalesce(e.data -> 'after', b.after, '{{}}') - e.hidden_names AS after
    FROM (
        SELECT e.id AS event_id, e.occurred_at, e.recorded_at, e.kind, e.idea_id, e.request_id, e.actor_id, e.user_id, e.data,
            e.kind = ANY (:private_kinds) AS is_private,
            CASE WHEN :hides_stakes AND e.user_id IS NOT NULL THEN {wallet_names} ELSE '{{}}' END::text[] AS hidden_names
        FROM app.events AS e
        WHERE e.campaign_id = :campaign_id AND e.kind = ANY (:audited) {filters}
        ORDER BY e.occurred_at DESC, e.id DESC
        LIMIT :limit
    ) AS e
    LEFT JOIN LATERAL (
        SELECT jsonb_object_agg(p.name, p.balance_after_coins - p.amount_coins) AS before,
            jsonb_object_agg(p.name, p.balance_after_coins) AS after
        FROM (
            SELECT p.amount_coins, p.balance_after_coins,
                CASE WHEN a.kind <> 'stake' THEN a.kind || '_coins' WHEN p.side = -1 THEN 'from_stake_coins'
                    ELSE 'to_stake_coins' END AS name
            FROM app.coin_postings AS p
            JOIN app.coin_accounts AS a ON a.id = p.account_id
            WHERE p.transfer_id = CAST(e.data ->> 'transfer_id' AS uuid) AND p.balance_after_coins IS NOT NULL
        ) AS p
    ) AS b ON true
    ORDER BY e.occurred_at DESC, e.event_id DESC
"""


class AuditEvent(ResponseModel):
    """An event of the campaign that concerns its coins."""

    event_id: UUID
    occurred_at: datetime = Field(description="time at which it took effect")
    recorded_at: datetime = Field(description="time at which it was written; later than occurred_at in an import")
    kind: str
    actor_id: UUID | None = Field(
        description="who did it; null is the system, and a member who moved their own coins under a policy whose "
        "stakes_visible_to is self"
    )
    actor_name: str | None = None
    user_id: UUID | None = Field(
        description="the person affected; null for a member's own movements of coins under a policy whose "
        "stakes_visible_to is self"
    )
    user_name: str | None = None
    idea_id: UUID | None
    request_id: str | None = Field(
        description="the request that caused it; null for an import or the demo, and where the person is omitted but the request of a "
        "manager would name them"
    )
    before: dict[str, Any] = Field(
        description="the changed values before the event; `after` has the same names: the status or the fields of the "
        "policy; the coins on the stake, on all stakes of an idea, in the wallet, or in all changed wallets. "
        "Wallets of single members are omitted under a policy whose stakes_visible_to is self. Empty if no such value "
        "changed"
    )
    after: dict[str, Any]
    data: dict[str, Any] = Field(description="further fields of the kind")


async def list_audit(
    session: AsyncSession,
    campaign_id: UUID,
    *,
    kinds: Sequence[str] = (),
    actor_id: UUID | None = None,
    user_id: UUID | None = None,
    idea_id: UUID | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
    after: tuple[datetime, UUID] | None = None,
) -> list[AuditEvent]:
    """Events of a campaign that concern its coins, newest first, after the (occurred_at, event_id) `after`.

    If the policy in force hides stakes (`stakes_visible_to`), no event shows the balance of a member's wallet, and the
    events of members' own movements do not show the member; the policy cannot have been narrower when the coins were allocated. A filter by person then finds no event
    that hides its person, so that a search for a person reveals nothing. `since` is inclusive, `until` exclusive.
    """
    hides_stakes = not (await get_policy(session, campaign_id)).shows_stakes_to_managers
    filters: list[str] = []
    values: dict[str, Any] = {
        "campaign_id": campaign_id,
        "hides_stakes": hides_stakes,
        "private_kinds": list(_PERSONAL) if hides_stakes else [],
        "audited": list(_AUDITED),
        "limit": limit,
    }

    def add(condition: str, **arguments: object) -> None:
        filters.append(f"AND {condition}")
        values.update(arguments)

    if kinds:
        add("e.kind = ANY (:kinds)", kinds=list(kinds))
    if actor_id:
        add("e.actor_id = :actor_id AND e.kind <> ALL (:private_kinds)", actor_id=actor_id)
    if user_id:
        add("e.user_id = :user_id AND e.kind <> ALL (:private_kinds)", user_id=user_id)
    if idea_id:
        add("(e.idea_id = :idea_id OR e.data ->> 'from_idea_id' = CAST(:idea_id AS text))", idea_id=idea_id)
    if since:
        add("e.occurred_at >= :since", since=since)
    if until:
        add("e.occurred_at < :until", until=until)
    if after:
        add("(e.occurred_at, e.id) < (:after_at, :after_id)", after_at=after[0], after_id=after[1])
    rows = await session.execute(text(_TEMPLATE.format(filters=" ".join(filters), wallet_names=_WALLET_NAMES)), values)
    return [AuditEvent.model_validate(row) for row in rows]
