"""A model of the ledger: expected balances and results of each command, with the interface of `ledger_books.Books`."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.proofs.ledger_accounts import Accounts
from tests.proofs.ledger_terms import (
    CLOSED,
    IN_GRACE,
    LACKS_SUPPORT,
    TOO_EARLY,
    Closed,
    Correction,
    Item,
    Kind,
    Merged,
    MoveResult,
    Policy,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

# may change until the first stake; allocate_until may be postponed later
FROZEN_BY_STAKES = (
    "coins_per_allocation_min", "coins_per_member_and_idea_max", "own_ideas", "take_back", "undo_window_h",
    "coins_per_member_and_idea_max_percent", "take_back_until", "move_cooldown_s", "late_grant", "decision_mode",
    "accept_threshold_coins", "backers_min", "returned_coins",
)  # fmt: skip


NOW, NEVER = "2026", "9999"


@dataclass
class Settlement:
    """A settlement of stakes, then of wallets, in steps that continue from the previous one."""

    kind: Kind
    ideas: list[int]
    has_wallets: bool
    stakes_done: bool = False
    after: tuple[int, int] = (-1, -1)


@dataclass
class Merge:
    """A merge: member, source and coins of each transfer, to the target or to the wallet, and the movements until then."""

    target: int
    sources: list[int]
    moved: list[tuple[int, int, int]]
    returned: list[tuple[int, int, int]]
    stakes: dict[tuple[int, int], int]
    wallets: dict[int, int]


@dataclass
class Model:
    """One campaign."""

    policy: Policy
    version: int = 1
    wallets: Accounts[int] = field(default_factory=Accounts)
    frozen: set[int] = field(default_factory=set)
    # empty accounts remain
    stakes: Accounts[tuple[int, int]] = field(default_factory=Accounts)
    issued: int = 0
    expired: int = 0
    # each opened idea: None while open, its coins at closing afterwards
    closed: dict[int, tuple[int, int] | None] = field(default_factory=dict)
    accepted: dict[int, dict[int, int]] = field(default_factory=dict)
    # of each idea in its grace time, which does not end here: the coins of each member that are free
    graces: dict[int, dict[int, int]] = field(default_factory=dict)
    # those that were not undone, by their number
    merges: dict[int, Merge] = field(default_factory=dict)
    settlements: list[Settlement] = field(default_factory=list)
    keys: dict[tuple[int, str], tuple[Item, MoveResult]] = field(default_factory=dict)
    transfers: int = 0
    is_closed: bool = False

    @property
    def open_ideas(self) -> list[int]:
        return sorted(idea for idea, had in self.closed.items() if had is None)

    @property
    def active(self) -> list[int]:
        """Members whose wallet is not frozen."""
        return sorted(self.wallets.keys() - self.frozen)

    @property
    def staked(self) -> list[tuple[int, int]]:
        """Member and idea of each stake with coins."""
        return sorted(place for place, coins in self.stakes.items() if coins)

    @property
    def settling(self) -> set[int]:
        return {idea for settlement in self.settlements for idea in settlement.ideas}

    def totals(self) -> dict[int, tuple[int, int]]:
        """Coins and backers of each idea that ever had a stake."""
        totals: defaultdict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
        for (_, idea), coins in self.stakes.items():
            totals[idea] = (totals[idea][0] + coins, totals[idea][1] + (coins > 0))
        return dict(totals)

    def grant(self, members: Sequence[int]) -> list[int] | str:
        """Open missing wallets and unfreeze existing ones."""
        if self.is_closed:
            return CLOSED
        granted = sorted(set(members) - self.wallets.keys())
        self.frozen -= set(members)
        coins = self._grant_amount if self.wallets else self.policy["coins_per_member"]
        for member in granted:
            self._grant(member, coins)
        return granted if coins else []

    @property
    def _grant_amount(self) -> int:
        """What a new member gets, who is always late after the first grant."""
        return self.policy["coins_per_member"] if self.policy["late_grant"] == "full" else 0

    def _grant(self, member: int, coins: int) -> None:
        self.wallets[member] = coins
        self.issued += coins

    def freeze(self, member: int) -> None:
        """Freeze the wallet of a member who leaves."""
        if member in self.wallets:
            self.frozen.add(member)

    def open_idea(self, idea: int) -> str | None:
        """Open an idea for coins."""
        if self.is_closed:
            return CLOSED
        self.closed[idea] = None
        return None

    def begin_grace(self, idea: int) -> bool:
        """Free the coins on an open idea; nothing is free without coins."""
        free = {member: coins for (member, staked), coins in self.stakes.items() if staked == idea and coins}
        if free:
            self.graces[idea] = free
        return bool(free)

    @property
    def graced(self) -> set[int]:
        """Open ideas in their grace time."""
        return self.graces.keys() & set(self.open_ideas)

    def _is_free(self, item: Item) -> bool:
        """Whether coins may be taken back from an idea in its grace time."""
        if item.source is None or item.target is not None:
            return False
        return item.coins <= self.graces.get(item.source, {}).get(item.member, -1)

    def set_policy(self, policy: Policy) -> tuple[int, list[str]]:
        """Set a new version of the policy, or return the names of frozen fields that it would change."""
        changed = {name for name, value in policy.items() if value != self.policy[name]}
        frozen = changed & {"coins_per_member"} if self.wallets else set()
        if self.stakes:
            frozen |= changed & set(FROZEN_BY_STAKES)
            if _or_never(policy["allocate_until"]) < _or_never(self.policy["allocate_until"]):
                frozen.add("allocate_until")
        if not frozen:
            self.policy = policy
            self.version += 1
        return self.version, sorted(frozen)

    def move(self, items: Sequence[Item]) -> list[MoveResult]:
        """Execute a batch; items of one wallet in order."""
        return [self._move(item) for item in items]

    def _move(self, item: Item) -> MoveResult:
        bound = self.keys.get((item.member, item.key)) if item.key else None
        if item.member in self.wallets and bound:
            first, result = bound
            return result._replace(outcome="replayed") if first == item else MoveResult("key_reused")
        result = self._evaluate(item)
        if result.outcome != "moved":
            return result
        for idea, change in ((item.source, -item.coins), (item.target, item.coins)):
            if change < 0 and idea in self.graces:
                free = self.graces[idea]
                free[item.member] = free.get(item.member, 0) + change
            if idea is None:
                self.wallets[item.member] += change
            else:
                self.stakes[item.member, idea] = self._holds(item.member, idea) + change
        result = MoveResult(
            "moved", self.transfers, self._holds(item.member, item.source), self._holds(item.member, item.target)
        )
        self.transfers += 1
        if item.key:
            self.keys[item.member, item.key] = (item, result)
        return result

    @property
    def _idea_max(self) -> int | None:
        """The maximum of a member's coins on one idea, or None."""
        most: int | None = self.policy["coins_per_member_and_idea_max"]
        if percent := self.policy["coins_per_member_and_idea_max_percent"]:
            most = int(self.policy["coins_per_member"]) * int(percent) // 100
        return most

    def _holds(self, member: int, idea: int | None) -> int:
        return self.wallets[member] if idea is None else self.stakes.get((member, idea), 0)

    def _evaluate(  # noqa: C901, PLR0911, PLR0912 - the rules in the order of their evaluation
        self, item: Item
    ) -> MoveResult:
        member, source, target, coins, _ = item
        least, most = self.policy["coins_per_allocation_min"], self._idea_max
        if member not in self.wallets:
            return MoveResult("not_a_member")
        if member in self.frozen:
            return MoveResult("wallet_frozen")
        if coins < 1:
            return MoveResult("not_positive")
        if source == target:
            return MoveResult("same_account")
        named = [idea for idea in (target, source) if idea is not None]
        if any(idea not in self.closed for idea in named):
            return MoveResult("unknown_idea")
        if any(self.closed[idea] is not None for idea in named):
            return MoveResult("idea_not_open")
        if _or_never(self.policy["allocate_until"]) < NOW and not self._is_free(item):
            return MoveResult("window_closed")
        if target == member and not self.policy["own_ideas"]:
            return MoveResult("own_idea")
        is_over = not self.policy["take_back"] or _or_never(self.policy["take_back_until"]) < NOW
        if target is None and is_over and not self._is_free(item):
            return MoveResult("take_back_refused")
        if self.policy["move_cooldown_s"] and (member, source) in self.stakes and not self._is_free(item):
            return MoveResult("cooling_down")
        has = self._holds(member, source)
        if target is not None and coins < least:
            return MoveResult("below_minimum", has_coins=has, limit_coins=least)
        if has < coins:
            return MoveResult("insufficient_coins" if source is None else "insufficient_stake", has_coins=has)
        if source is not None and 0 < has - coins < least:
            return MoveResult("below_minimum", has_coins=has, limit_coins=least)
        there = 0 if target is None else self._holds(member, target)
        if target is not None and most is not None and there + coins > most:
            return MoveResult("above_maximum", has_coins=there, limit_coins=most)
        return MoveResult("moved")

    def correct(self, lines: Sequence[Correction]) -> list[tuple[str, int | None]]:
        """A bulk call of grants and corrections: the outcome of each item, and the wallet's balance after it."""
        return [(self._correct(line), self.wallets.get(line.member)) for line in lines]

    def _correct(self, line: Correction) -> str:  # noqa: PLR0911 - the rules in the order of their evaluation
        member, kind, coins, has_reason = line
        if self.is_closed:
            return "ledger_closed"
        if kind == "grant":
            if member in self.wallets and coins in {None, self._grant_amount, self.policy["coins_per_member"]}:
                return "already_granted"
            if member not in self.wallets and not self._grant_amount:
                return "too_late"
            if coins not in {None, self._grant_amount}:
                return "coins_differ"
            self._grant(member, self._grant_amount)
            return "granted"
        if member not in self.wallets or member in self.frozen:
            return "not_a_member"
        if not has_reason:
            return "reason_missing"
        if not coins:
            return "coins_missing"
        if self.wallets[member] + coins < 0:
            return "insufficient_coins"
        self.wallets[member] += coins
        self.issued += coins
        return "corrected"

    def close_ideas(self, ideas: Sequence[int], kind: Kind, inline_max: int | None) -> list[Closed] | str:
        """Close open ideas; their stakes expire or return, immediately or by a settlement."""
        if kind == "withdraw":
            kind = "return"
        elif self.graced & set(ideas):
            return IN_GRACE
        graced = self.graced & set(ideas)
        closing = sorted(set(ideas) & set(self.open_ideas))
        if kind == "expire" and (refusal := self._refuses_acceptance(closing)):
            return refusal
        result = [Closed(idea, *self._close(idea, kind), is_settling=False) for idea in closing]
        # ideas in their grace time are closed by withdrawals only
        if kind == "return" and self.policy["returned_coins"] == "expire" and not graced:
            kind = "expire"
        settlement = Settlement(kind, closing, has_wallets=False)
        if kind != "expire" and inline_max is not None and sum(closed.backers for closed in result) > inline_max:
            self.settlements.append(settlement)
            return [closed._replace(is_settling=True) for closed in result]
        self._settle_all(settlement)
        return result

    def _refuses_acceptance(self, ideas: Sequence[int]) -> str | None:
        if self.policy["decision_mode"] == "at_close" and _or_never(self.policy["allocate_until"]) > NOW:
            return TOO_EARLY
        needs = self.policy["accept_threshold_coins"] or 0, self.policy["backers_min"]
        had = [self.totals().get(idea, (0, 0)) for idea in ideas]
        is_lacking = any(coins < needs[0] or backers < needs[1] for coins, backers in had)
        return LACKS_SUPPORT if is_lacking else None

    def _close(self, idea: int, kind: Kind) -> tuple[int, int]:
        had = self.totals().get(idea, (0, 0))
        self.closed[idea] = had
        if kind == "expire":
            self.accepted[idea] = {
                member: coins for (member, staked), coins in self.stakes.items() if staked == idea and coins
            }
        return had

    def undo_acceptance(self, idea: int) -> tuple[int, int] | str:
        """Restore the stakes that expired at the last acceptance of the idea."""
        if self.is_closed:
            return CLOSED
        restored = self.accepted.pop(idea)
        for member, coins in restored.items():
            self.stakes[member, idea] = coins
        self.expired -= sum(restored.values())
        self.closed[idea] = None
        return sum(restored.values()), len(restored)

    def merge(self, number: int, target: int, sources: Sequence[int]) -> list[Merged] | str:
        """Move the stakes on the sources to the target, each member's sum up to the maximum, and close the sources."""
        if self.is_closed:
            return CLOSED
        if self.graced & {target, *sources}:
            return IN_GRACE
        most = self._idea_max
        moved: list[tuple[int, int, int]] = []
        returned: list[tuple[int, int, int]] = []
        result = []
        for source in sorted(sources):
            backers = {member: coins for (member, idea), coins in self.stakes.items() if idea == source and coins}
            before = len(returned)
            for member, coins in backers.items():
                is_barred = member == target and not self.policy["own_ideas"]
                there = self._holds(member, target)
                kept = 0 if is_barred else coins if most is None else min(coins, max(0, most - there))
                if not is_barred:
                    self.stakes[member, target] = there + kept
                if kept:
                    moved.append((member, source, kept))
                if kept < coins:
                    self.wallets[member] += coins - kept
                    returned.append((member, source, coins - kept))
                self.stakes[member, source] = 0
            back = [coins for _, _, coins in returned[before:]]
            result.append(Merged(source, sum(backers.values()), len(backers), sum(back), len(back)))
            self.closed[source] = (0, 0)
        emptied = {(member, source) for member, source, _ in moved + returned}
        stakes = [place for place in self.stakes if place[1] == target or place in emptied]
        self.merges[number] = Merge(
            target,
            sorted(sources),
            moved,
            returned,
            {place: self.stakes.movements[place] for place in stakes},
            {member: self.wallets.movements[member] for member, _, _ in returned},
        )
        return result

    def undo_merge(self, number: int) -> list[tuple[int, int]] | str:
        """Move the coins of a merge back; if some have moved since, only return the member and idea, -1 for the wallet."""
        merge = self.merges[number]
        if self.is_closed or self.closed[merge.target] is not None:
            return CLOSED
        found = [place for place, seen in merge.stakes.items() if self.stakes.movements[place] != seen]
        found += [(member, -1) for member, seen in merge.wallets.items() if self.wallets.movements[member] != seen]
        found += [
            place
            for place in self.stakes
            if place[1] == merge.target and place not in merge.stakes and self.stakes.movements[place]
        ]
        if found:
            return sorted(found)
        for member, source, coins in merge.moved:
            self.stakes[member, merge.target] -= coins
            self.stakes[member, source] += coins
            if merge.target in self.graces:
                free = self.graces[merge.target]
                free[member] = free.get(member, 0) - coins
        for member, source, coins in merge.returned:
            self.wallets[member] -= coins
            self.stakes[member, source] += coins
        for source in merge.sources:
            self.closed[source] = None
        del self.merges[number]
        return []

    def close_ledger(self, inline_max: int | None) -> tuple[int, bool] | str:
        """Complete the campaign; returns the coins of the wallets, and whether a settlement is pending."""
        if self.is_closed:
            return CLOSED
        if self.graced:
            return IN_GRACE
        settlement = Settlement("settle", self.open_ideas, has_wallets=True)
        for idea in settlement.ideas:
            self._close(idea, "settle")
        self.is_closed = True
        wallet_coins = sum(self.wallets.values())
        waiting = self.settling | set(settlement.ideas)
        backers = sum(had[1] for idea, had in self.closed.items() if had and idea in waiting)
        holders = sum(coins > 0 for coins in self.wallets.values())
        if self.settlements or (inline_max is not None and max(backers, holders) > inline_max):
            self.settlements.append(settlement)
            return wallet_coins, True
        self._settle_all(settlement)
        return wallet_coins, False

    def _settle_all(self, settlement: Settlement) -> None:
        while not self._step(settlement, None):
            pass

    def settle_next(self, nth: int, accounts_max: int) -> bool:
        """Execute the next step of the nth pending settlement; returns whether it is finished."""
        is_finished = self._step(self.settlements[nth], accounts_max)
        if is_finished:
            del self.settlements[nth]
        return is_finished

    def _step(self, settlement: Settlement, accounts_max: int | None) -> bool:
        if not settlement.stakes_done:
            places = [(idea, member) for member, idea in self.stakes if idea in settlement.ideas]
        else:
            places = [(-1, member) for member in self.wallets] if settlement.has_wallets else []
        part = sorted(place for place in places if place > settlement.after)[:accounts_max]
        for idea, member in part:
            coins = self.wallets[member] if idea < 0 else self.stakes[member, idea]
            if idea < 0:
                self.wallets[member] = 0
            else:
                self.stakes[member, idea] = 0
            if settlement.kind == "return":
                self.wallets[member] += coins
            else:
                self.expired += coins
        if part:
            settlement.after = part[-1]
            return False
        if not settlement.stakes_done:
            settlement.stakes_done, settlement.after = True, (-1, -1)
            return False
        return True


def _or_never(moment: str | None) -> str:
    return moment or NEVER
