"""The ledger's background work: carrying out settlements, aggregating totals, and sealing the chain.

Several processes may run it: a database lock assigns each piece of work to one of them, and the others skip it. Locks
that commands wait for are held only for one short transaction.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import text

from api.coins.commands import settlements
from api.kernel.background import Loop

if TYPE_CHECKING:
    from uuid import UUID

    from api.kernel.db import Database

# totals are at most 2 s behind: a run includes everything that was committed when the previous run began
PAUSE_S = 1.0
# between two passes while there is more to seal, for example after an import, so that commands are not slowed down
SEAL_PAUSE_S = 0.2
# transfers per transaction: takes about 0.1 s, during which the aggregation cannot pass it
SEAL_MAX = 5000
# A step locks the wallets that it pays until it is committed; movements of their members wait. With 32 clients, the p99
# of movements grew by a factor of 1.4 with 250 and 500 accounts and of 1.5 to 2 with 1,000, with which a settlement
# took half the time.
ACCOUNTS_PER_STEP = 500

_UNFINISHED = text("SELECT id, campaign_id FROM app.coin_settlements WHERE finished_at IS NULL ORDER BY requested_at")
_SETTLE_NEXT = text("SELECT app.coins_settle_next(:id, :accounts_max)")
_AGGREGATE = text("SELECT app.coins_aggregate_totals()")
_SEAL = text("SELECT app.coins_seal(:transfers_max)")


async def aggregate_totals(database: Database) -> int | None:
    """Update the totals of many ideas; returns how many ideas changed, None if another process is doing it."""
    changed: int | None = await database.run_alone(_AGGREGATE, statement_timeout_ms=settlements.SETTLE_TIMEOUT_MS)
    return changed


async def seal(database: Database) -> int | None:
    """Seal the next transfers, at most `SEAL_MAX`; returns how many, None if another process is doing it."""
    sealed: int | None = await database.run_alone(
        _SEAL, statement_timeout_ms=settlements.SETTLE_TIMEOUT_MS, transfers_max=SEAL_MAX
    )
    return sealed


async def seal_all(database: Database, *, pause_s: float = 0) -> int:
    """Seal all transfers that can be sealed now, with `pause_s` seconds between passes; returns how many it sealed."""
    total = 0
    while (sealed := await seal(database)) == SEAL_MAX:
        total += sealed
        await asyncio.sleep(pause_s)
    return total + (sealed or 0)


async def seal_beside_commands(database: Database) -> int:
    """As :func:`seal_all`, with pauses for commands."""
    return await seal_all(database, pause_s=SEAL_PAUSE_S)


async def settle(database: Database) -> int:
    """Carry out all waiting settlements, a number of accounts per transaction; returns how many it finished.

    The settlements of a campaign are carried out in order, also with several processes: a settlement that empties the
    wallets must not run before an earlier one that returns coins to them.
    """
    async with database.session() as session:
        rows = await session.execute(_UNFINISHED)
        unfinished: list[tuple[UUID, UUID]] = [(row.id, row.campaign_id) for row in rows]
    finished = 0
    taken: set[UUID] = set()
    for settlement_id, campaign_id in unfinished:
        is_finished: bool | None = None if campaign_id in taken else False
        while is_finished is False:
            is_finished = await database.run_alone(
                _SETTLE_NEXT,
                statement_timeout_ms=settlements.SETTLE_TIMEOUT_MS,
                id=settlement_id,
                accounts_max=ACCOUNTS_PER_STEP,
            )
        if is_finished is None:
            taken.add(campaign_id)
        finished += bool(is_finished)
    return finished


LOOPS = (
    Loop(name="coins-settle", run=settle, pause_s=PAUSE_S),
    Loop(name="coins-aggregate", run=aggregate_totals, pause_s=PAUSE_S),
    Loop(name="coins-seal", run=seal_beside_commands, pause_s=PAUSE_S),
)
