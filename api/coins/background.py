"""The ledger's background work: carrying out settlements, aggregating totals, and sealing the chain.

Several processes may run it: a database lock gives each piece of work to one of them, and the others skip it. Nothing here
waits for a row that a command holds longer than its own transaction.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from sqlalchemy import text

from api.coins import service
from api.kernel.background import Loop

if TYPE_CHECKING:
    from uuid import UUID

    from api.kernel.db import Database

# so that totals are at most 2 s behind: what had committed when one run began, the next one contains
PAUSE_S = 1.0
# while there is more to seal, as after an import or the first time: so that commands get their share of the server
SEAL_PAUSE_S = 0.2
# transfers a transaction: some 0.1 s, during which the aggregation stops below it
SEAL_MAX = 5000
# A step holds the wallets that it pays until it is committed, and their members' movements wait so long. Beside 32 clients
# the p99 of theirs grew 1.4 times with 250 and with 500, and 1.5 to 2 times with 1,000, which took half as long.
ACCOUNTS_PER_STEP = 500

_UNFINISHED = text("SELECT id, campaign_id FROM app.coin_settlements WHERE finished_at IS NULL ORDER BY requested_at")
_SETTLE_NEXT = text("SELECT app.coins_settle_next(:id, :accounts_max)")
_AGGREGATE = text("SELECT app.coins_aggregate_totals()")
_SEAL = text("SELECT app.coins_seal(:transfers_max)")


async def aggregate_totals(database: Database) -> int | None:
    """Bring the totals of many ideas up to date; how many ideas changed, None if another process is at it."""
    changed: int | None = await database.run_alone(_AGGREGATE, statement_timeout_ms=service.SETTLE_TIMEOUT_MS)
    return changed


async def seal(database: Database) -> int | None:
    """Seal the next transfers, at most `SEAL_MAX`; how many, None if another process is at it."""
    sealed: int | None = await database.run_alone(
        _SEAL, statement_timeout_ms=service.SETTLE_TIMEOUT_MS, transfers_max=SEAL_MAX
    )
    return sealed


async def seal_all(database: Database, *, pause_s: float = 0) -> int:
    """Seal all that can be sealed now, `pause_s` seconds between the passes; how many were sealed here."""
    total = 0
    while (sealed := await seal(database)) == SEAL_MAX:
        total += sealed
        await asyncio.sleep(pause_s)
    return total + (sealed or 0)


async def seal_beside_commands(database: Database) -> int:
    """As :func:`seal_all`, leaving the server to commands in between."""
    return await seal_all(database, pause_s=SEAL_PAUSE_S)


async def settle(database: Database) -> int:
    """Carry out every settlement that waits, some accounts a transaction; how many were finished here.

    A campaign's settlements come one after the other, also where several processes are at it: one that empties the
    wallets must not overtake one that still returns coins to them.
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
                statement_timeout_ms=service.SETTLE_TIMEOUT_MS,
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
