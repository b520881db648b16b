"""A circuit breaker: calls to a service that keeps failing are suspended for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES_MAX = 5
PAUSE_S = 30.0


class Breaker:
    """Opens at the fifth failure in a row; while it is open, it allows one trial call every 30 s until one succeeds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` returns seconds."""
        self._clock = clock
        self._failures = 0
        self._next_try_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are suspended."""
        return self._failures >= FAILURES_MAX

    def allows(self) -> bool:
        """Whether to call now. While the breaker is open, an allowed call is the trial call."""
        if not self.is_open:
            return True
        now_s = self._clock()
        if now_s < self._next_try_s:
            return False
        self._next_try_s = now_s + PAUSE_S
        return True

    def failed(self) -> bool:
        """Count a failure; True if it opened the breaker."""
        self._failures += 1
        self._next_try_s = self._clock() + PAUSE_S
        return self._failures == FAILURES_MAX

    def succeeded(self) -> bool:
        """Reset the count of failures; True if the breaker was open."""
        was_open = self.is_open
        self._failures = 0
        return was_open
