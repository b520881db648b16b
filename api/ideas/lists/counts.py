"""How many ideas long lists have, counted again at most every two seconds in a process."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

LONG_LIST_MIN = 10_000
"""Counting a shorter list takes about a millisecond, so it is counted for each page."""
KEPT_S = 2.0
LISTS_MAX = 1000


@dataclass
class _Counted:
    total: int
    until: float


class Counts:
    """The numbers of ideas of lists that were read lately."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns seconds."""
        self._now = now
        self._counted: OrderedDict[Hashable, _Counted] = OrderedDict()

    def find(self, key: Hashable) -> int | None:
        """The number that needs not be counted now; None if it is to be counted.

        The first caller after `KEPT_S` counts again. Until it has, the others get the number that is known.
        """
        counted = self._counted.get(key)
        if counted is None or counted.total < LONG_LIST_MIN:
            return None
        now = self._now()
        if counted.until <= now:
            counted.until = now + KEPT_S
            return None
        return counted.total

    def last(self, key: Hashable) -> int:
        """About how many ideas the list has; 0 if it is not known."""
        counted = self._counted.get(key)
        return counted.total if counted else 0

    def keep(self, key: Hashable, total: int) -> None:
        """Keep a number that was counted."""
        self._counted[key] = _Counted(total, self._now() + KEPT_S)
        self._counted.move_to_end(key)
        if len(self._counted) > LISTS_MAX:
            self._counted.popitem(last=False)
