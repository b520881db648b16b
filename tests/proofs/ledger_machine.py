"""Random commands of a campaign's life: the ledger and its model must return the same results."""

from __future__ import annotations

from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.proofs.ledger_books import Books
from tests.proofs.ledger_model import Model
from tests.proofs.ledger_terms import (
    CLOSED,
    IDEAS,
    IN_GRACE,
    LACKS_SUPPORT,
    MEMBERS,
    TOO_EARLY,
    Correction,
    Item,
    Kind,
    Policy,
)

if TYPE_CHECKING:
    import psycopg

# steps between checks that read the whole history of the campaign
HISTORY_CHECK_INTERVAL = 10
# commands before a campaign may be completed, since few commands are possible afterwards
COMPLETE_AFTER = 35

members = st.integers(0, MEMBERS - 1)
ideas = st.integers(0, IDEAS - 1)
# the first value is the most likely one, and 0 is refused
amounts = st.sampled_from([3, *range(13)])
keys = st.none() | st.sampled_from("abc")
items = (
    st.builds(Item, members, st.none(), ideas, amounts, keys)
    | st.builds(Item, members, ideas, st.none() | ideas, amounts, keys)
    | st.builds(Item, members, st.none(), st.none(), amounts, keys)
)
allocations = st.tuples(members, ideas, amounts, keys)
lines = st.builds(Correction, members, st.just("grant"), st.sampled_from([None, 20, 25]), st.booleans()) | st.builds(
    Correction,
    members,
    st.just("correct"),
    st.sampled_from([5, *range(-30, 31), None]),
    st.sampled_from([True, True, False]),
)
# with a limit of 0 everything is done by a settlement
limits = st.sampled_from([None, 0])
dry_runs = st.sampled_from([False] * 5 + [True])
changes = st.fixed_dictionaries(
    {},
    optional={
        "coins_per_member": st.sampled_from([20, 25]),
        "coins_per_allocation_min": st.integers(1, 3),
        "coins_per_member_and_idea_max": st.sampled_from([None, 8, 12]),
        "own_ideas": st.booleans(),
        "take_back": st.booleans(),
        "undo_window_h": st.sampled_from([24, 168]),
        "allocate_until": st.sampled_from([None, "2000", "2190", "2191"]),
        "coins_per_member_and_idea_max_percent": st.sampled_from([None, 40]),
        "take_back_until": st.sampled_from([None, "2000", "2190"]),
        "move_cooldown_s": st.sampled_from([0, 0, 86_400]),
        "late_grant": st.sampled_from(["full", "full", "none"]),
        "decision_mode": st.sampled_from(["rolling", "rolling", "at_close"]),
        "accept_threshold_coins": st.sampled_from([None, 6]),
        "backers_min": st.integers(0, 2),
        "returned_coins": st.sampled_from(["reuse", "expire"]),
    },
)
first_policies = st.fixed_dictionaries(
    {
        "coins_per_member": st.just(20),
        "coins_per_allocation_min": st.integers(1, 3),
        "coins_per_member_and_idea_max": st.sampled_from([None, 8]),
        "own_ideas": st.booleans(),
        "take_back": st.booleans(),
        "undo_window_h": st.just(168),
        # some campaigns start after their end, which can be postponed
        "allocate_until": st.sampled_from([None, "2190"] * 4 + ["2000"]),
        "coins_per_member_and_idea_max_percent": st.sampled_from([None, None, 40]),
        "take_back_until": st.sampled_from([None, None, None, "2000", "2190"]),
        "move_cooldown_s": st.sampled_from([0] * 7 + [86_400]),
        "late_grant": st.sampled_from(["full"] * 7 + ["none"]),
        "decision_mode": st.sampled_from(["rolling"] * 7 + ["at_close"]),
        "accept_threshold_coins": st.sampled_from([None, None, 6]),
        "backers_min": st.sampled_from([0, 0, 0, 1, 2]),
        "returned_coins": st.sampled_from(["reuse", "reuse", "expire"]),
    }
)
_REFUSALS = {IN_GRACE: "in grace", CLOSED: "refused", TOO_EARLY: "too early", LACKS_SUPPORT: "lacks support"}


def consistent(policy: Policy) -> Policy:
    """The policy without fields that another one excludes."""
    if policy["coins_per_member_and_idea_max_percent"] is not None:
        policy = policy | {"coins_per_member_and_idea_max": None}
    return policy if policy["take_back"] else policy | {"take_back_until": None}


class LedgerMachine(RuleBasedStateMachine):
    """One campaign per example; the counters cover all examples."""

    connection: ClassVar[psycopg.Connection]
    steps: ClassVar[Counter[str]] = Counter()
    results: ClassVar[Counter[str]] = Counter()
    examples: ClassVar[int] = 0
    verified: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.model: Model
        self.books: Books
        # totals after each transaction, by its id
        self.history: list[tuple[int, dict[int, tuple[int, int]]]] = [(0, {})]
        self.count = 0
        self.has_passed = False

    @initialize(policy=first_policies, requested=st.lists(allocations, max_size=8))
    def open_ledger(self, policy: dict[str, Any], requested: list[tuple[int, int, int, str | None]]) -> None:
        type(self).examples += 1
        policy = consistent(policy)
        self.model, self.books = Model(policy), Books(self.connection, policy)
        self.both("grant", [0, 1, 2])
        for idea in range(3):
            self.both("open_idea", idea)
        if requested:
            self.allocate_each(requested, dry=False)

    def both(self, command: str, *arguments: Any, dry: bool = False, name: str = "") -> Any:
        """Execute the command on both; a dry run must not change any row."""
        self.has_passed = False
        if dry:
            before = self.books.written()
            expected = getattr(deepcopy(self.model), command)(*arguments)
            found = self.books.dry_run(command, *arguments)
            assert self.books.written() == before
        else:
            expected = getattr(self.model, command)(*arguments)
            found = self.books.execute(command, *arguments)
        assert found == expected, f"{command}{arguments}: the ledger returned {found}, the model {expected}"
        self.count += 1
        self.steps[("dry run " if dry else "") + (name or command.replace("_", " "))] += 1
        return found

    @precondition(lambda self: self.count % 3 == 1)
    @rule(requested=st.lists(members, min_size=1, max_size=3), dry=dry_runs)
    def grant(self, requested: list[int], dry: bool) -> None:  # noqa: FBT001 - Hypothesis draws it
        self.both("grant", requested, dry=dry)

    @rule(requested=st.lists(lines, min_size=1, max_size=6), dry=dry_runs)
    def bulk(self, requested: list[Correction], dry: bool) -> None:  # noqa: FBT001
        found = self.both("correct", requested, dry=dry, name="bulk")
        self.results.update(f"bulk: {outcome}" for outcome, _ in found)

    @precondition(lambda self: len(self.model.frozen) < 2)
    @rule(nth=members, dry=dry_runs)
    def leave(self, nth: int, dry: bool) -> None:  # noqa: FBT001
        self.both("freeze", pick(self.model.wallets, nth), dry=dry, name="leave")

    @precondition(lambda self: self.model.frozen)
    @rule(nth=members, dry=dry_runs)
    def rejoin(self, nth: int, dry: bool) -> None:  # noqa: FBT001
        self.both("grant", [pick(self.model.frozen, nth)], dry=dry, name="rejoin")

    @precondition(lambda self: len(self.model.closed) < IDEAS)
    @rule(nth=ideas, dry=dry_runs)
    def open_idea(self, nth: int, dry: bool) -> None:  # noqa: FBT001
        self.both("open_idea", pick(set(range(IDEAS)) - self.model.closed.keys(), nth), dry=dry)

    @rule(changed=changes, dry=dry_runs)
    def change_policy(self, changed: dict[str, Any], dry: bool) -> None:  # noqa: FBT001
        _, frozen = self.both("set_policy", consistent(self.model.policy | changed), dry=dry, name="change policy")
        self.results.update([f"policy: frozen {field}" for field in frozen] or ["policy: put into force"])

    @precondition(lambda self: self.model.open_ideas and self.model.active)
    @rule(requested=st.lists(allocations, min_size=1, max_size=4), dry=dry_runs)
    def allocate(self, requested: list[tuple[int, int, int, str | None]], dry: bool) -> None:  # noqa: FBT001
        self.allocate_each(requested, dry=dry)

    def allocate_each(self, requested: list[tuple[int, int, int, str | None]], *, dry: bool) -> None:
        """Allocate from active members to open ideas."""
        moves = [
            Item(pick(self.model.active, member), None, pick(self.model.open_ideas, nth), coins, key)
            for member, nth, coins, key in requested
        ]
        self.move(moves, "allocate", dry=dry)

    @precondition(lambda self: self.model.open_ideas and self.model.staked)
    @rule(nth=st.integers(0, 31), to=ideas, coins=amounts, key=keys, dry=dry_runs)
    def reallocate(self, nth: int, to: int, coins: int, key: str | None, dry: bool) -> None:  # noqa: FBT001
        member, source = pick(self.model.staked, nth)
        target = pick(self.model.open_ideas, to)
        self.move([Item(member, source, target, coins, key)], "reallocate", dry=dry)

    @precondition(lambda self: self.model.staked)
    @rule(nth=st.integers(0, 31), coins=amounts, key=keys, dry=dry_runs)
    def take_back(self, nth: int, coins: int, key: str | None, dry: bool) -> None:  # noqa: FBT001
        member, source = pick(self.model.staked, nth)
        self.move([Item(member, source, None, coins, key)], "take back", dry=dry)

    @rule(requested=st.lists(items, min_size=2, max_size=8), dry=dry_runs)
    def batch(self, requested: list[Item], dry: bool) -> None:  # noqa: FBT001
        """A batch may contain a member more than once, and keys that were used before."""
        self.move(requested, "batch", dry=dry)

    @precondition(lambda self: self.model.keys)
    @rule(nth=st.integers(0, 11), times=st.integers(1, 3))
    def replay(self, nth: int, times: int) -> None:
        """A successful command is sent again with its key, once or more."""
        item, _ = self.model.keys[pick(self.model.keys, nth)]
        self.move([item] * times, "replay", dry=False)

    def move(self, moves: list[Item], name: str, *, dry: bool) -> None:
        found = self.both("move", moves, dry=dry, name=name)
        self.results.update(f"move: {result.outcome}" for result in found)

    @precondition(lambda self: self.model.open_ideas)
    @rule(nths=st.lists(ideas, min_size=1, max_size=2), dry=dry_runs)
    def accept(self, nths: list[int], dry: bool) -> None:  # noqa: FBT001
        self.close(nths, "expire", None, "accept", dry=dry)

    @precondition(lambda self: self.model.open_ideas)
    @rule(nth=ideas, limit=limits, dry=dry_runs)
    def withdraw(self, nth: int, limit: int | None, dry: bool) -> None:  # noqa: FBT001
        self.close([nth], "withdraw", limit, "withdraw", dry=dry)

    @precondition(lambda self: self.model.open_ideas)
    @rule(nth=ideas, limit=limits, dry=dry_runs)
    def reject(self, nth: int, limit: int | None, dry: bool) -> None:  # noqa: FBT001
        self.close([nth], "return", limit, "reject", dry=dry)

    # few ideas: the grace time does not end, and most decisions wait for it
    @precondition(lambda self: self.model.open_ideas and len(self.model.graced) < 2)
    @rule(nth=ideas, dry=dry_runs)
    def begin_grace(self, nth: int, dry: bool) -> None:  # noqa: FBT001
        self.both("begin_grace", pick(self.model.open_ideas, nth), dry=dry)

    @precondition(lambda self: len(self.model.open_ideas) > 2)
    @rule(nths=st.lists(ideas, min_size=1, max_size=2), limit=limits, dry=dry_runs)
    def expire(self, nths: list[int], limit: int | None, dry: bool) -> None:  # noqa: FBT001
        self.close(nths, "settle", limit, "expire", dry=dry)

    def close(self, nths: list[int], kind: Kind, limit: int | None, name: str, *, dry: bool) -> None:
        """Close some of the open ideas."""
        requested = sorted({pick(self.model.open_ideas, nth) for nth in nths})
        found = self.both("close_ideas", requested, kind, limit, dry=dry, name=name)
        if isinstance(found, str):
            self.results[f"{name}: {_REFUSALS[found]}"] += 1
            return
        self.results[f"{name}: {'by a settlement' if any(closed.is_settling for closed in found) else 'at once'}"] += 1

    @precondition(lambda self: self.model.accepted)
    @rule(nth=ideas, dry=dry_runs)
    def undo_acceptance(self, nth: int, dry: bool) -> None:  # noqa: FBT001
        self.both("undo_acceptance", pick(self.model.accepted, nth), dry=dry)

    @precondition(lambda self: self.model.settlements)
    @rule(nth=st.integers(0, 3), accounts_max=st.integers(1, 3), dry=dry_runs)
    def settle_next(self, nth: int, accounts_max: int, dry: bool) -> None:  # noqa: FBT001
        """A step of any settlement; wallets are emptied last."""
        others = [n for n, settlement in enumerate(self.model.settlements) if not settlement.has_wallets]
        self.both("settle_next", pick(others or [0], nth), accounts_max, dry=dry, name="settle a part")

    @precondition(lambda self: self.count >= COMPLETE_AFTER)
    @rule(limit=limits, dry=dry_runs)
    def complete(self, limit: int | None, dry: bool) -> None:  # noqa: FBT001
        found = self.both("close_ledger", limit, dry=dry, name="complete")
        how = _REFUSALS[found] if isinstance(found, str) else "by a settlement" if found[1] else "at once"
        self.results[f"complete: {how}"] += 1

    @precondition(lambda self: self.count % 3 == 0)
    @rule()
    def aggregate(self) -> None:
        self.books.aggregate()
        self.count += 1
        self.steps["aggregate"] += 1
        watermark, totals = self.books.aggregated()
        assert totals == [after for xid, after in self.history if xid < watermark][-1]

    @invariant()
    def balances_equal_the_model(self) -> None:
        model, found = self.model, self.books.balances()
        xid, *balances = found
        expected = [model.issued, model.wallets, model.stakes, model.expired]
        assert balances == expected, f"the ledger has {found}, the model {expected}"
        assert found.issued == sum(found.wallets.values()) + sum(found.stakes.values()) + found.expired
        if xid != self.history[-1][0]:
            self.history.append((xid, model.totals()))
        if self.count % HISTORY_CHECK_INTERVAL == 0:
            self.check_history()
        self.has_passed = True

    def check_history(self) -> None:
        """Verify the ledger from its postings, and compare the coins of ideas at closing."""
        assert self.books.faults() == 0
        assert self.books.closed() == (self.model.closed, self.model.settling)
        type(self).verified += 1

    def teardown(self) -> None:
        """Finish all pending settlements."""
        if not self.has_passed:
            return
        while self.model.settlements:
            self.both("settle_next", 0, 3, name="settle a part")
        self.balances_equal_the_model()
        self.check_history()


def pick(choices: Any, nth: int) -> Any:
    """One of the choices, in sorted order."""
    ordered = sorted(choices)
    return ordered[nth % len(ordered)]
