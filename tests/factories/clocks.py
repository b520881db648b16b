"""A clock for tests, and how long a test waits for something before it fails.

No test depends on the speed of the machine: a wait ends with its condition, and these bounds only end a test that hangs.
"""

from __future__ import annotations

GIVE_UP_AFTER_S = 600
TRIES = 20_000  # of a loop that sleeps some hundredths of a second


class Clock:
    """Seconds that pass when a test sets them."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """The time, in seconds."""
        return self.now_s
