"""kill -9 of the worker during a settlement: the supervisor starts it again, and the settlement is completed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import ExitStack

import psycopg

from api.coins import service as coins
from api.kernel.db import Database
from cli.local import postgres
from settings import Settings
from tests.factories.ledgers import Ledger, conservation, make_ledger
from tests.proofs.installations import Installation, installed, supervised, until

BACKERS_PER_CALL = 500
HOLD = "SELECT pg_backend_pid() FROM app.coin_accounts WHERE kind = 'wallet' AND campaign_id = %s AND user_id = %s FOR UPDATE"
BLOCKED = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE %s = ANY (pg_blocking_pids(pid)))"
UNFINISHED = "SELECT count(*) FROM app.coin_settlements WHERE campaign_id = %s AND finished_at IS NULL"


async def make_staked_ledger(database: Database, backers: int) -> Ledger:
    """A ledger in which each member except the author has one coin on the second idea."""
    async with database.session(statement_timeout_ms=0) as session:
        ledger = await make_ledger(session, members=backers + 1)
        for start in range(1, backers + 1, BACKERS_PER_CALL):
            members = range(start, min(start + BACKERS_PER_CALL, backers + 1))
            await coins.move_coins(session, [ledger.move(1, member=member, target=1) for member in members])
    return ledger


async def kill_worker(installation: Installation) -> None:
    """Kill the worker, and wait for its replacement."""
    killed = installation.worker_pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    await until(lambda: installation.worker_pid not in {None, killed}, "a new worker")


async def settle_with_kills(
    settings: Settings, installation: Installation, database: Database, ledger: Ledger, backers: int
) -> list[int]:
    """Kill the worker whenever it waits for one of two wallets; returns the remaining stakes at each kill."""
    left = []
    with ExitStack() as stack:
        url = postgres.admin_url(settings)
        holders = {}
        in_order = sorted(ledger.members[1:])  # the order of the settlement
        for member in (in_order[backers // 3], in_order[2 * backers // 3]):
            holder = stack.enter_context(psycopg.connect(url))
            (pid,) = holder.execute(HOLD, (ledger.campaign_id, member)).fetchone() or (0,)
            holders[pid] = holder
        watcher = stack.enter_context(psycopg.connect(url, autocommit=True))
        async with database.session() as session:
            await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="return", actor_id=None)
        while holders:
            blocking: list[int] = []

            def is_blocked(blocking: list[int] = blocking) -> bool:
                blocking += [pid for pid in holders if watcher.execute(BLOCKED, (pid,)).fetchone() == (True,)]
                return bool(blocking)

            await until(is_blocked, "the settlement to reach a locked wallet")
            # each step conserves coins, and the running one has changed nothing
            left.append((await conservation(database, ledger)).staked_coins)
            await kill_worker(installation)
            holders.pop(blocking[0]).rollback()
        await until(
            lambda: watcher.execute(UNFINISHED, (ledger.campaign_id,)).fetchone() == (0,), "the end of the settlement"
        )
    return left


async def test_worker(figure: Callable[[str], None], *, full: bool) -> None:
    """The worker is killed twice, since three deaths within a minute end the installation."""
    backers = 50_000 if full else 3_000
    with installed() as settings:
        database = Database(settings.database)
        ledger = await make_staked_ledger(database, backers)
        async with supervised(settings, apis=1) as installation:
            left = await settle_with_kills(settings, installation, database, ledger, backers)
            found = await conservation(database, ledger)
        await database.close()
    assert backers > left[0] > left[1] > 0, "the worker was not killed in the middle"
    assert (found.staked_coins, found.wallet_coins) == (0, 100 * (backers + 1))
    assert sum("worker ended (signal SIGKILL); restarting it" in line for line in installation.messages) == 2
    figure(
        f"a settlement of {backers:,} stakes, worker killed with {left[0]:,} and {left[1]:,} remaining: completed, coins conserved"
    )
