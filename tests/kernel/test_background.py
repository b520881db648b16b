"""Loops of a worker: a failing one is repeated, and none affects another."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from api.kernel import background
from api.kernel.background import Background, Loop
from tests.factories.clocks import GIVE_UP_AFTER_S

if TYPE_CHECKING:
    from api.kernel.db import Database


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "FIRST_PAUSE_S", 0.001)


class TestBackground:
    @pytest.mark.usefixtures("short_pauses")
    @pytest.mark.parametrize("error", [OSError("away"), RuntimeError("a defect"), TimeoutError()], ids=repr)
    async def test_repeats_a_loop_that_fails(self, db: Database, error: Exception) -> None:
        runs, done = 0, asyncio.Event()

        async def fail_twice(_: Database) -> None:
            nonlocal runs
            runs += 1
            if runs <= 2:
                raise error
            done.set()

        async with Background(db, [Loop(name="fails", run=fail_twice, pause_s=60)]):
            await asyncio.wait_for(done.wait(), GIVE_UP_AFTER_S)
        assert runs == 3

    async def test_a_loop_that_fails_or_takes_long_does_not_affect_others(self, db: Database) -> None:
        blocked, done = asyncio.Event(), asyncio.Event()

        async def block(_: Database) -> None:
            blocked.set()
            await asyncio.Event().wait()

        async def fail(_: Database) -> None:
            msg = "a defect"
            raise RuntimeError(msg)

        async def work(_: Database) -> None:
            await blocked.wait()
            done.set()

        loops = [Loop(name=run.__name__, run=run, pause_s=0) for run in (fail, block, work)]
        async with Background(db, loops) as running:
            await asyncio.wait_for(done.wait(), GIVE_UP_AFTER_S)
        assert running.unfinished == []

    async def test_names_the_loops_that_do_not_stop_in_time(self, db: Database) -> None:
        started, may_end = asyncio.Event(), asyncio.Event()

        async def ignore_cancellation(_: Database) -> None:
            while not may_end.is_set():
                try:
                    started.set()
                    await may_end.wait()
                except asyncio.CancelledError:
                    continue

        async with Background(db, [Loop(name="stubborn", run=ignore_cancellation, pause_s=0)], stop_s=0.01) as running:
            await started.wait()
        assert running.unfinished == ["stubborn"]
        may_end.set()
        (task,) = running._tasks
        while not task.done():  # otherwise it would run without a pause during all later tests
            task.cancel()
            await asyncio.sleep(0)
