"""Batches of coin movements: concurrent requests are sent as one call of a database function in one transaction.

There is no timer: the requests that arrive during a call form the next call. The batcher has its own connection and
commits its own transactions. A cancelled request is still carried out; a retry with its key returns the outcome.
Wallets are served in turn, so that one with a thousand waiting requests does not delay others. An item whose row is
locked by another transaction returns `busy` and is retried with growing pauses until its deadline. Every item has a
key, so a batch whose connection was lost can be sent again: the ledger returns the outcome of items that had been
committed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import psycopg
import structlog

from api.coins import errors
from api.coins.commands.moves import ITEMS_PER_WALLET_MAX, SQL, Move, Outcome, as_arguments

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    from settings.database import DatabaseSettings
    from settings.ledger import LedgerSettings

log = structlog.get_logger(__name__)

RETRY_MIN_S = 0.005
RETRY_MAX_S = 0.1
RECONNECT_S = 0.2
# the server ends a statement at its timeout; if it does not, the batcher does so this much later
CALL_GRACE_S = 1.0


@dataclass(eq=False, slots=True)
class _Item:
    move: Move
    future: asyncio.Future[Outcome]
    deadline: float
    retry_s: float = RETRY_MIN_S
    is_settled: bool = False


class Batcher:
    """Carries out movements of coins for all requests of one process."""

    def __init__(self, database: DatabaseSettings, ledger: LedgerSettings) -> None:
        """Runs while its `async with` block lasts; at the end it finishes the movements that it has accepted."""
        self._url = database.role_url("app")
        self._options = f"-c search_path=app -c timezone=UTC -c statement_timeout={database.statement_timeout_ms}"
        self._batch_max = ledger.batch_max
        self._queue_max = ledger.queue_max
        self._deadline_s = ledger.deadline_ms / 1000
        self._call_s = database.statement_timeout_ms / 1000 + CALL_GRACE_S
        self._waiting: dict[tuple[UUID, UUID], deque[_Item]] = {}
        self._turns: deque[tuple[UUID, UUID]] = deque()
        self._items = 0
        self._arrived = asyncio.Event()
        self._connection: psycopg.AsyncConnection[tuple[object, ...]] | None = None
        self._task: asyncio.Task[None]
        self._loop: asyncio.AbstractEventLoop
        self._closing = False

    async def __aenter__(self) -> Self:
        """Start to accept movements."""
        self._loop = asyncio.get_running_loop()
        self._task = self._loop.create_task(self._work(), name="coin-batcher")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the waiting movements, then stop."""
        self._closing = True
        self._arrived.set()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._task, self._deadline_s + RECONNECT_S)
        await self._drop_connection()

    async def move(self, move: Move) -> Outcome:
        """Carry out one movement and wait for its committed outcome.

        Raises:
            LedgerBusy: too many movements are waiting, the rows were locked until the deadline, or the database has not
                responded; a request with the same key returns its outcome.
        """
        assert move.key is not None, "a movement without a key could be carried out twice"
        if self._items >= self._queue_max or self._closing:
            msg = f"{self._items} coin commands are waiting; try again in a second."
            raise errors.LedgerBusy(msg)
        loop = self._loop
        item = _Item(move, loop.create_future(), loop.time() + self._deadline_s)
        self._items += 1
        self._enqueue(item)
        # a timer costs a third of `asyncio.timeout`
        timer = loop.call_at(item.deadline + self._call_s, expire, item.future)
        try:
            return await item.future
        finally:
            timer.cancel()

    def _settle(self, item: _Item, outcome: Outcome | Exception) -> None:
        """Set the outcome of an item if its request is still waiting, and remove the item from the queue."""
        assert not item.is_settled, "an item has one outcome"
        item.is_settled = True
        self._items -= 1
        if item.future.done():
            return
        if isinstance(outcome, Exception):
            item.future.set_exception(outcome)
        else:
            item.future.set_result(outcome)

    def _enqueue(self, item: _Item) -> None:
        queue = self._waiting.get(item.move.wallet)
        if queue is None:
            queue = self._waiting[item.move.wallet] = deque()
            self._turns.append(item.move.wallet)
        queue.append(item)
        self._arrived.set()

    def _take(self) -> list[_Item]:
        """The next batch: the waiting wallets in turn, at most ten items of each."""
        batch: list[_Item] = []
        again: list[tuple[UUID, UUID]] = []
        while self._turns and len(batch) < self._batch_max:
            wallet = self._turns.popleft()
            queue = self._waiting[wallet]
            taken = min(ITEMS_PER_WALLET_MAX, len(queue), self._batch_max - len(batch))
            batch.extend(queue.popleft() for _ in range(taken))
            if queue:
                again.append(wallet)
            else:
                del self._waiting[wallet]
        self._turns.extend(again)
        return batch

    async def _work(self) -> None:
        while not (self._closing and self._items == 0):
            await self._arrived.wait()
            batch = self._take()
            if not batch:
                if self._closing:
                    await asyncio.sleep(RETRY_MIN_S)
                else:
                    self._arrived.clear()
                continue
            try:
                await self._carry_out(batch)
            except Exception:
                log.exception("coin batch failed", items=len(batch))
                await self._one_by_one(batch)

    async def _carry_out(self, batch: list[_Item]) -> None:
        try:
            outcomes = await self._call([item.move for item in batch])
        except (psycopg.OperationalError, TimeoutError) as error:
            log.warning("coin batch lost its connection", items=len(batch), error=str(error) or "no response")
            await self._drop_connection()
            await asyncio.sleep(RECONNECT_S)
            for item in batch:
                self._try_again(item, errors.LedgerBusy("The database is unavailable; try again with the same key."))
            return
        for outcome in outcomes:
            item = batch[outcome.item - 1]
            if outcome.outcome == "busy":
                self._try_again(item, outcome)
            else:
                self._settle(item, outcome)

    async def _one_by_one(self, batch: list[_Item]) -> None:
        """Carry out the items one by one after an unexpected error, so that only the item that causes it fails.

        None of them has an outcome: the call of a batch returns all outcomes or raises.
        """
        for item in batch:
            try:
                await self._carry_out([item])
            except Exception as error:  # noqa: BLE001 - the request of this item raises it
                self._settle(item, error)

    def _try_again(self, item: _Item, last: Outcome | Exception) -> None:
        """Put an item back into the queue after a pause, or set its final error when its deadline has passed."""
        if self._loop.time() + item.retry_s < item.deadline:
            self._loop.call_later(item.retry_s, self._enqueue, item)
            item.retry_s = min(item.retry_s * 2, RETRY_MAX_S)
        else:
            self._settle(item, last)

    async def _call(self, moves: list[Move]) -> list[Outcome]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._url, autocommit=True, options=self._options, application_name="ideamint-coins", connect_timeout=5
            )
        async with asyncio.timeout(self._call_s):
            cursor = await self._connection.execute(SQL, as_arguments(moves), prepare=True)
        outcomes = [Outcome(*row) for row in await cursor.fetchall()]  # type: ignore[arg-type]
        assert {outcome.item for outcome in outcomes} == set(range(1, len(moves) + 1)), "each item has one outcome"
        return outcomes

    async def _drop_connection(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                await self._connection.close()
            self._connection = None


def expire(future: asyncio.Future[Outcome]) -> None:
    """End the wait of a request whose command the database has not answered; the command may still be carried out."""
    if not future.done():
        msg = "The database has not responded yet; a request with the same key returns the outcome of the command."
        future.set_exception(errors.LedgerBusy(msg))
