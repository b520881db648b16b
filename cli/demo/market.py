"""Simulates how members allocate coins: the balances of a campaign, and visits in which a member moves coins."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cli.demo.actions import CoinMove
from cli.demo.people import KEEN, OCCASIONAL, seeded_random

if TYPE_CHECKING:
    import random

    from cli.demo.content import IdeaText, PolicyText
    from cli.demo.people import Person

RUSH_DAYS = 7
_LIKED = 2.6
_NEW_IDEA_DAYS = 7
_ENOUGH_IDEAS = 10
_REALLOCATION_PROBABILITY = 0.18


@dataclass(slots=True)
class Listing:
    """An idea that is open for coins."""

    idea: IdeaText
    author: Person
    coins: int = 0


@dataclass(slots=True)
class Book:
    """Simulated balances of one campaign's ledger: wallets and stakes in coins, by email address."""

    slug: str
    policy: PolicyText
    wallets: dict[str, int] = field(default_factory=dict)
    stakes: defaultdict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    open: dict[str, Listing] = field(default_factory=dict)
    tastes: dict[tuple[str, str], float] = field(default_factory=dict)

    def taste(self, key: str, email: str) -> float:
        """The person's preference for the idea, independent of other members; the median is 1."""
        if (key, email) not in self.tastes:
            self.tastes[key, email] = seeded_random("taste", self.slug, key, email).lognormvariate(0, 0.6)
        return self.tastes[key, email]

    def grant(self, person: Person) -> None:
        """Grant a person's coins, once."""
        self.wallets.setdefault(person.email, self.policy.coins_per_member)

    def close(self, key: str, *, returns_coins: bool) -> None:
        """Close an idea; its coins expire or return to the wallets."""
        if self.open.pop(key, None) is None:
            return
        for email, placed in self.stakes.items():
            coins = placed.pop(key, 0)
            if returns_coins:
                self.wallets[email] += coins

    def apply(self, move: CoinMove) -> CoinMove:
        """Apply a movement whose rules :class:`Visit` has checked."""
        email, placed = move.person.email, self.stakes[move.person.email]
        if move.from_idea is None:
            self.wallets[email] -= move.coins
        else:
            placed[move.from_idea] -= move.coins
            self.open[move.from_idea].coins -= move.coins
            if placed[move.from_idea] == 0:
                del placed[move.from_idea]
        if move.to_idea is None:
            self.wallets[email] += move.coins
        else:
            placed[move.to_idea] = placed.get(move.to_idea, 0) + move.coins
            self.open[move.to_idea].coins += move.coins
        return move


@dataclass(slots=True)
class Visit:
    """One visit of a member; `days_left` until the coin window closes."""

    book: Book
    person: Person
    day: int
    days_left: int
    chance: random.Random

    def moves(self) -> list[CoinMove]:
        """The member's movements, already applied to the book."""
        wallet = self.book.wallets[self.person.email]
        reallocates = self.chance.random() < _REALLOCATION_PROBABILITY
        moved = self._reallocate() if reallocates else []
        if not moved and wallet >= self.book.policy.coins_per_allocation_min:
            moved = self._spend(wallet)
        return moved

    def _spend(self, wallet: int) -> list[CoinMove]:
        if self.days_left <= RUSH_DAYS or self.person.profile is OCCASIONAL:
            share = self.chance.uniform(0.55, 1.0)
        else:
            share = self.chance.uniform(0.15, 0.45) if self.person.profile is KEEN else self.chance.uniform(0.2, 0.7)
        if self.days_left > RUSH_DAYS:
            share *= min(1, len(self.book.open) / _ENOUGH_IDEAS)  # members wait while there are few ideas
        to_spend = max(self.book.policy.coins_per_allocation_min, round(wallet * share))
        moved: list[CoinMove] = []
        for part in self._parts(to_spend):
            coins = self._round(part)
            key = self._choose(coins)
            if key is not None:
                moved.append(self.book.apply(CoinMove(self.person, None, key, self._fitting(key, coins))))
        return moved

    def _parts(self, coins: int) -> list[float]:
        """Coins for one to four ideas, largest first."""
        count = self.chance.choices([1, 2, 3, 4], [45, 30, 18, 7])[0]
        weights = sorted((self.chance.uniform(0.3, 1.0) for _ in range(count)), reverse=True)
        return [coins * weight / sum(weights) for weight in weights]

    def _round(self, coins: float) -> int:
        """Round to a number that people choose: mostly a multiple of 10 or 5."""
        unit = self.chance.choices([10, 5, 1], [45, 35, 20])[0]
        return max(self.book.policy.coins_per_allocation_min, round(coins / unit) * unit)

    def _room(self, key: str) -> int:
        limit = self.book.policy.coins_per_member_and_idea_max
        placed = self.book.stakes[self.person.email].get(key, 0)
        return self.book.policy.coins_per_member if limit is None else limit - placed

    def _fitting(self, key: str, coins: int) -> int:
        return min(coins, self._room(key), self.book.wallets[self.person.email])

    def _choose(self, coins: int, *, but_not: str | None = None) -> str | None:
        """An idea to allocate coins to, or None if no allocation is allowed."""
        least = self.book.policy.coins_per_allocation_min
        if but_not is None and min(coins, self.book.wallets[self.person.email]) < least:
            return None
        keys = [
            key
            for key, listing in self.book.open.items()
            if listing.author != self.person and key != but_not and self._room(key) >= least
        ]
        if not keys:
            return None
        mean = 1 + sum(each.coins for each in self.book.open.values()) / len(self.book.open)
        return self.chance.choices(keys, [self._attraction(self.book.open[key], mean) for key in keys])[0]

    def _attraction(self, listing: Listing, mean: float) -> float:
        """Weight of an idea in the member's choice: its appeal, the member's preference and department, its coins and age."""
        idea = listing.idea
        taste = self.book.taste(idea.key, self.person.email)
        return float(
            idea.appeal**2.2
            * taste
            * (_LIKED if self.person.department in idea.liked_by else 1)
            * (0.5 + listing.coins / mean) ** 0.4
            * (1.6 if self.day - idea.day <= _NEW_IDEA_DAYS else 1)
        )

    def _reallocate(self) -> list[CoinMove]:
        """Move a stake to another idea or, less often, to the wallet; a part of it only if the minimum remains."""
        least = self.book.policy.coins_per_allocation_min
        placed = {key: coins for key, coins in self.book.stakes[self.person.email].items() if key in self.book.open}
        if not placed:
            return []
        source = self.chance.choice(sorted(placed))
        coins = placed[source]
        if coins >= 2 * least and self.chance.random() < 0.5:
            coins = min(coins - least, self._round(coins / 2))
        if self.chance.random() < 0.3:
            return [self.book.apply(CoinMove(self.person, source, None, coins))]
        target = self._choose(coins, but_not=source)
        if target is None or self._room(target) < coins:
            return []
        return [self.book.apply(CoinMove(self.person, source, target, coins))]
