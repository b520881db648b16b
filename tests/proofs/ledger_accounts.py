"""Accounts of the model of the ledger, with the number of movements of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import TypeVar

Key = TypeVar("Key", bound=Hashable)


class Accounts(dict[Key, int]):
    """Coins by account. An account without coins that gets none has no movement."""

    def __init__(self) -> None:
        super().__init__()
        self.movements: Counter[Key] = Counter()

    def __setitem__(self, key: Key, coins: int) -> None:
        self.movements[key] += coins != self.get(key, 0)
        super().__setitem__(key, coins)

    def __deepcopy__(self, memo: dict[int, object]) -> Accounts[Key]:
        copy: Accounts[Key] = Accounts()
        dict.update(copy, self)
        copy.movements = Counter(self.movements)
        return copy
