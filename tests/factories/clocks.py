"""A clock for tests, and limits of waiting times.

No test depends on the speed of the machine: a wait ends with its condition, and these limits only end a test that hangs.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

GIVE_UP_AFTER_S = 600
TRIES = 20_000  # of a loop that sleeps a few hundredths of a second


def until(condition: Callable[[], object], *, pause_s: float = 0.1) -> None:
    """Wait until a condition holds, which is evaluated again after each pause; fails after `GIVE_UP_AFTER_S`."""
    give_up_at = time.monotonic() + GIVE_UP_AFTER_S
    while not condition():
        assert time.monotonic() < give_up_at
        time.sleep(pause_s)


class Clock:
    """A clock that changes only when a test sets it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now_s
