"""Whether to ask something that has just failed again, or to do without it for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

FAILURES_MAX = 5
PAUSE_S = 30.0


class Breaker:
    """Opens at the fifth failure in a row; from then on it lets one call try every 30 s, until one succeeds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives seconds."""
        self._clock = clock
        self._failures = 0
        self._next_try_s = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are kept back."""
        return self._failures >= FAILURES_MAX

    def allows(self) -> bool:
        """Whether to call now. While it is open, the call that this allows is the trial, and others wait for it."""
        if not self.is_open:
            return True
        now_s = self._clock()
        if now_s < self._next_try_s:
            return False
        self._next_try_s = now_s + PAUSE_S
        return True

    def failed(self) -> bool:
        """Count a failure; whether this one opened it."""
        self._failures += 1
        self._next_try_s = self._clock() + PAUSE_S
        return self._failures == FAILURES_MAX

    def succeeded(self) -> bool:
        """Forget the failures; whether it was open."""
        was_open = self.is_open
        self._failures = 0
        return was_open
