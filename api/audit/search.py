"""Search of the events of the whole installation, and their export as CSV.

Movements of coins are not part of it: each campaign's coin audit shows them as far as its coin policy allows. For the same
reason the balances of wallets are left out of other events.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from pydantic import Field
from sqlalchemy import text

from api.auth import service as auth
from api.events.catalogue import kinds_where
from api.events.kinds import EventKind
from api.kernel.schemas import ResponseModel
from pipelines.wording import CSV_START, csv_lines

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.db import Database

LINES_AT_ONCE = 1000

MOVEMENTS = kinds_where(concerns_coins=True, is_personal=True)
SEARCHED = tuple(kind for kind in EventKind if kind not in MOVEMENTS)
_OF_WALLETS = (
    EventKind.MEMBER_JOINED,
    EventKind.MEMBER_LEFT,
    EventKind.COINS_GRANTED,
    EventKind.COINS_CORRECTED,
)
# ids and times of one event are of the same moment, up to the duration of its statement
_ID_TOLERANCE = timedelta(minutes=1)
# a constant in the statement, since only then PostgreSQL uses the indexes with this condition
_IS_SEARCHED = "e.kind NOT IN ({})".format(", ".join(f"'{kind}'" for kind in MOVEMENTS))
_SEARCH = """
    SELECT e.id AS event_id, e.recorded_at, e.occurred_at, e.kind, e.actor_id, e.user_id, e.campaign_id, e.idea_id,
        e.token_id, e.address, e.agent, e.request_id,
        CASE WHEN e.kind = ANY (:of_wallets)
            THEN e.data - '{{before,after,wallet_before_coins,wallet_after_coins}}'::text[] ELSE e.data END AS data
    FROM app.events AS e
    WHERE {conditions}
    ORDER BY e.id DESC
    LIMIT :limit
"""
_CONDITIONS = {
    "actor_id": "e.actor_id = :actor_id",
    "user_id": "e.user_id = :user_id",
    "campaign_id": "e.campaign_id = :campaign_id",
    "idea_id": "e.idea_id = :idea_id",
    "token_id": "e.token_id = :token_id",
    "address": "e.address = :address",
    "kinds": "e.kind = ANY (:kinds)",
    "since": "e.recorded_at >= :since AND e.id >= :since_id",
    "until": "e.recorded_at < :until AND e.id < :until_id",
}


@dataclass(frozen=True)
class Filters:
    """Which events are searched; None does not filter. `since` is inclusive, `until` exclusive."""

    actor_id: UUID | None = None
    user_id: UUID | None = None
    campaign_id: UUID | None = None
    idea_id: UUID | None = None
    token_id: UUID | None = None
    address: str | None = None
    kinds: Sequence[EventKind] | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the filters that are set."""
        return tuple(each.name for each in fields(self) if getattr(self, each.name) is not None)


class AuditedEvent(ResponseModel):
    """An event of the installation."""

    event_id: UUID
    recorded_at: datetime = Field(description="time at which it was written")
    occurred_at: datetime = Field(description="time at which it took effect; earlier than recorded_at in an import")
    kind: str
    actor_id: UUID | None = Field(description="the user or service account who caused it; null: the system, or unknown")
    actor_name: str | None = None
    user_id: UUID | None = Field(description="the person affected")
    user_name: str | None = None
    campaign_id: UUID | None
    idea_id: UUID | None
    token_id: UUID | None = Field(description="the API token of the request")
    address: str | None = Field(description="network address of the request")
    agent: str | None = Field(description="what the program of the request says that it is")
    request_id: str | None
    data: dict[str, Any] = Field(description="further fields of the kind, without balances of wallets")


async def search_events(
    session: AsyncSession, filters: Filters, *, limit: int, after: tuple[UUID] | None = None
) -> list[AuditedEvent]:
    """Events with the names of their people, newest first, after the event with the id `after`."""
    conditions = [_IS_SEARCHED, *(_CONDITIONS[name] for name in filters.names)]
    values: dict[str, Any] = {name: getattr(filters, name) for name in filters.names}
    values |= {"limit": limit, "of_wallets": list(_OF_WALLETS)}
    if filters.since:
        values["since_id"] = _id_at(filters.since - _ID_TOLERANCE)
    if filters.until:
        values["until_id"] = _id_at(filters.until + _ID_TOLERANCE)
    if after is not None:
        conditions.append("e.id < :after_id")
        values["after_id"] = after[0]
    rows = await session.execute(text(_SEARCH.format(conditions=" AND ".join(conditions))), values)
    events = [AuditedEvent.model_validate(row) for row in rows]
    await auth.add_names(session, events, actor_id="actor_name", user_id="user_name")
    return events


async def write_csv(database: Database, filters: Filters) -> AsyncIterator[str]:
    """All found events as CSV (RFC 4180, with a byte order mark), newest first, a thousand lines at a time.

    Each part is read in a session of its own, so that a slow client holds no connection. A cell that a spreadsheet would
    evaluate as a formula begins with a quote.
    """
    yield CSV_START + csv_lines([list(AuditedEvent.model_fields)])
    after: tuple[UUID] | None = None
    while True:
        async with database.snapshot() as session:
            events = await search_events(session, filters, limit=LINES_AT_ONCE, after=after)
        if events:
            yield csv_lines([_cells(event) for event in events])
        if len(events) < LINES_AT_ONCE:
            return
        after = (events[-1].event_id,)


def _cells(event: AuditedEvent) -> list[object]:
    data = event.model_dump_json(include={"data"})
    values = event.model_dump(mode="json") | {"data": data.removeprefix('{"data":').removesuffix("}")}
    return list(values.values())


def _id_at(moment: datetime) -> UUID:
    """The lowest id (UUID version 7) of a moment: its first 48 bits are milliseconds since 1970."""
    return UUID(int=max(0, int(moment.timestamp() * 1000)) << 80)
