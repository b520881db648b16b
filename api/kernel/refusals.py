"""Counts refused requests in memory, so that a flood of them does not fill the table of events.

Refusals are equal if caller, address, operation and type of problem are. The first of equal refusals is reported within a second;
those of the following ten minutes are reported together at the end, with their number. A process distinguishes at most a
thousand at a time; what exceeds them is counted without caller and address.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from api.kernel.origins import Origin

PERIOD_S = 600.0
DISTINCT_MAX = 1000


@dataclass(frozen=True)
class Refusal:
    """A refused request, or `times` equal ones."""

    operation: str
    problem: str
    status: int
    origin: Origin
    times: int = 1


@dataclass
class _Counted:
    refusal: Refusal
    ends_at: float
    times: int


class Refusals:
    """The refusals of a process that are not reported yet."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns seconds."""
        self._now = now
        self._new: list[Refusal] = []
        self._counted: dict[tuple[object, ...], _Counted] = {}

    def note(self, refusal: Refusal) -> None:
        """Count a refusal."""
        origin = refusal.origin
        key: tuple[object, ...] = (refusal.operation, refusal.problem, origin.user_id, origin.token_id, origin.address)
        counted = self._counted.get(key)
        if counted is None and len(self._counted) >= DISTINCT_MAX:
            refusal = replace(refusal, operation="", origin=Origin())
            key = (refusal.problem,)
            counted = self._counted.get(key)
        if counted is not None:
            counted.times += 1
            return
        # copied: the origin of a request can change while it lasts
        kept = replace(refusal, origin=replace(refusal.origin))
        self._new.append(kept)
        self._counted[key] = _Counted(kept, self._now() + PERIOD_S, 0)

    def take(self) -> list[Refusal]:
        """What is to be reported now; it is not returned again."""
        taken, self._new = self._new, []
        now = self._now()
        for key in [key for key, counted in self._counted.items() if counted.ends_at <= now]:
            counted = self._counted.pop(key)
            if counted.times:
                taken.append(replace(counted.refusal, times=counted.times))
        return taken
