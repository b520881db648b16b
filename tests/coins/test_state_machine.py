"""The ledger against a model of it, step by step, over every command that it has."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING, ClassVar
from uuid import UUID, uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from api.coins.moves import SQL, Move, Outcome, as_arguments
from api.coins.schemas import PolicyWrite

if TYPE_CHECKING:
    from settings import Settings

MEMBERS, IDEAS = 4, 4
members = st.integers(0, MEMBERS - 1)
ideas = st.integers(0, IDEAS - 1)
amounts = st.integers(1, 15)


class LedgerMachine(RuleBasedStateMachine):
    """One campaign: `wallets`, `stakes` and `expired` are what the ledger should hold."""

    url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.connection = psycopg.connect(self.url, autocommit=True, options="-c search_path=app")
        self.campaign_id = uuid4()
        self.users = [uuid4() for _ in range(MEMBERS)]
        self.ideas = [uuid4() for _ in range(IDEAS)]
        self.wallets: dict[int, int] = {}
        self.frozen: set[int] = set()
        self.stakes: defaultdict[tuple[int, int], int] = defaultdict(int)
        self.open: set[int] = set()
        self.closed: set[int] = set()
        self.keys: dict[tuple[int, str], tuple[Move, UUID]] = {}
        self.accepted: dict[int, dict[int, int]] = {}
        self.expired = 0
        self.corrected = 0
        self.is_over = False

    def teardown(self) -> None:
        self.connection.close()

    @initialize(
        minimum=st.integers(1, 3), maximum=st.sampled_from([None, 8]), take_back=st.booleans(), own=st.booleans()
    )
    def open_ledger(self, minimum: int, maximum: int | None, take_back: bool, own: bool) -> None:  # noqa: FBT001
        self.policy = PolicyWrite(
            coins_per_member=20,
            coins_per_allocation_min=minimum,
            coins_per_member_and_idea_max=maximum,
            take_back=take_back,
            own_ideas=own,
        )
        self.connection.execute(
            "SELECT coins_open_ledger(%s, %s::jsonb, NULL)", (self.campaign_id, self.policy.model_dump_json())
        )
        self.grant(0)
        self.open_idea(0)

    @rule(member=members)
    def grant(self, member: int) -> None:
        if self.is_over:
            return
        granted = self.connection.execute(
            "SELECT coins_grant(%s, %s::uuid[], NULL)", (self.campaign_id, [self.users[member]])
        ).fetchone()
        assert granted == ([self.users[member]] if member not in self.wallets else [],)
        self.wallets.setdefault(member, 20)
        self.frozen.discard(member)

    @rule(
        asked=st.lists(
            st.tuples(members, st.just("grant") | st.just("correct"), st.none() | st.integers(-30, 30), st.booleans()),
            min_size=1,
            max_size=6,
        )
    )
    def correct(self, asked: list[tuple[int, str, int | None, bool]]) -> None:
        """A bulk of grants and corrections, up and down, with a reason or without; members may stand in it often."""
        rows = self.connection.execute(
            "SELECT item, outcome, wallet_coins FROM coins_correct(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[], "
            "%s::text[], %s::text[], NULL) ORDER BY item",
            (
                [self.campaign_id] * len(asked),
                [self.users[member] for member, *_ in asked],
                [kind for _, kind, *_ in asked],
                [coins for *_, coins, _ in asked],
                ["counted wrongly" if has_reason else " " for *_, has_reason in asked],
                [None] * len(asked),
            ),
        ).fetchall()
        assert [item for item, *_ in rows] == list(range(1, len(asked) + 1))
        for (member, kind, coins, has_reason), (_, outcome, wallet_coins) in zip(asked, rows, strict=True):
            assert outcome == self._expect_correction(member, kind, coins, has_reason=has_reason)
            if outcome == "granted":
                self.wallets[member] = 20
            elif outcome == "corrected":
                assert coins is not None
                self.wallets[member] += coins
                self.corrected += coins
            assert wallet_coins == self.wallets.get(member)

    def _expect_correction(  # noqa: PLR0911 - the rules in the order in which they are judged
        self, member: int, kind: str, coins: int | None, *, has_reason: bool
    ) -> str:
        if self.is_over:
            return "ledger_closed"
        if kind == "grant":
            if coins not in {None, 20}:
                return "coins_differ"
            return "already_granted" if member in self.wallets else "granted"
        if member not in self.wallets or member in self.frozen:
            return "not_a_member"
        if not has_reason:
            return "reason_missing"
        if not coins:
            return "coins_missing"
        return "insufficient_coins" if self.wallets[member] + coins < 0 else "corrected"

    @rule(member=members)
    def freeze(self, member: int) -> None:
        self.connection.execute("SELECT coins_freeze_wallet(%s, %s)", (self.campaign_id, self.users[member]))
        if member in self.wallets:
            self.frozen.add(member)

    @rule(idea=ideas)
    def open_idea(self, idea: int) -> None:
        if self.is_over or idea in self.open | self.closed:
            return
        # idea n is by member n, so that the rule about own ideas is met
        self.connection.execute(
            "SELECT coins_open_targets(%s, %s::uuid[], %s::uuid[])",
            (self.campaign_id, [self.ideas[idea]], [self.users[idea]]),
        )
        self.open.add(idea)

    @rule(
        asked=st.lists(
            st.tuples(members, st.none() | ideas, st.none() | ideas, amounts, st.none() | st.sampled_from("abc")),
            min_size=1,
            max_size=8,
        )
    )
    def move(self, asked: list[tuple[int, int | None, int | None, int, str | None]]) -> None:
        """A batch; members may stand in it more than once, with keys that were used before."""
        moves = [
            Move(
                self.campaign_id,
                self.users[member],
                None if source is None else self.ideas[source],
                None if target is None else self.ideas[target],
                coins,
                key,
                f"{source} {target} {coins}".encode() if key else None,
            )
            for member, source, target, coins, key in asked
        ]
        rows = self.connection.execute(SQL, as_arguments(moves)).fetchall()
        outcomes = sorted((Outcome(*row) for row in rows), key=lambda outcome: outcome.item)
        assert len(outcomes) == len(asked)
        for (member, source, target, coins, key), move, outcome in zip(asked, moves, outcomes, strict=True):
            assert outcome.outcome == self._expect(member, source, target, coins, key, move)
            if outcome.outcome == "moved":
                self._apply(member, source, target, coins)
                assert outcome.from_balance_coins == self._holds(member, source)
                assert outcome.to_balance_coins == self._holds(member, target)
                if key is not None:
                    assert outcome.transfer_id is not None
                    self.keys[member, key] = (move, outcome.transfer_id)
            elif outcome.outcome == "replayed":
                assert key is not None
                assert outcome.transfer_id == self.keys[member, key][1]

    def _holds(self, member: int, idea: int | None) -> int:
        return self.wallets[member] if idea is None else self.stakes[member, idea]

    def _apply(self, member: int, source: int | None, target: int | None, coins: int) -> None:
        for idea, change in ((source, -coins), (target, coins)):
            if idea is None:
                self.wallets[member] += change
            else:
                self.stakes[member, idea] += change

    def _expect(  # noqa: C901, PLR0911, PLR0912 - the rules in the order in which they are judged
        self, member: int, source: int | None, target: int | None, coins: int, key: str | None, move: Move
    ) -> str:
        if member not in self.wallets:
            return "not_a_member"
        if key is not None and (member, key) in self.keys:
            same = self.keys[member, key][0].request_hash == move.request_hash
            return "replayed" if same else "key_reused"
        if member in self.frozen:
            return "wallet_frozen"
        if source == target:
            return "same_account"
        for idea in (target, source):
            if idea is not None and idea not in self.open | self.closed:
                return "unknown_idea"
        if {source, target} & self.closed:
            return "idea_not_open"
        if target is not None and target == member and not self.policy.own_ideas:
            return "own_idea"
        if target is None and not self.policy.take_back:
            return "take_back_refused"
        if target is not None and coins < self.policy.coins_per_allocation_min:
            return "below_minimum"
        if self._holds(member, source) < coins:
            return "insufficient_coins" if source is None else "insufficient_stake"
        if source is not None and 0 < self.stakes[member, source] - coins < self.policy.coins_per_allocation_min:
            return "below_minimum"
        most = self.policy.coins_per_member_and_idea_max
        if target is not None and most is not None and self.stakes[member, target] + coins > most:
            return "above_maximum"
        return "moved"

    @rule(idea=ideas, kind=st.sampled_from(["expire", "return"]), limit=st.sampled_from([None, 0]))
    def close_idea(self, idea: int, kind: str, limit: int | None) -> None:
        if idea not in self.open:
            return
        row = self.connection.execute(
            "SELECT settled_coins, settled_backers FROM coins_close_targets(%s, %s::uuid[], %s, NULL, NULL, NULL, %s)",
            (self.campaign_id, [self.ideas[idea]], kind, limit),
        ).fetchone()
        self._settle()
        staked = {member: self.stakes.pop((member, idea), 0) for member in range(MEMBERS)}
        assert row == (sum(staked.values()), sum(coins > 0 for coins in staked.values()))
        for member, coins in staked.items():
            if coins and kind == "return":
                self.wallets[member] += coins
            else:
                self.expired += coins
        if kind == "expire":
            self.accepted[idea] = {member: coins for member, coins in staked.items() if coins}
        self.open.discard(idea)
        self.closed.add(idea)

    @rule(idea=ideas)
    def undo_acceptance(self, idea: int) -> None:
        if idea not in self.accepted or self.is_over:
            return
        self.connection.execute(
            "SELECT coins_reopen_target(%s, %s, NULL, 'a mistake')", (self.campaign_id, self.ideas[idea])
        )
        for member, coins in self.accepted.pop(idea).items():
            self.stakes[member, idea] = coins
            self.expired -= coins
        self.closed.discard(idea)
        self.open.add(idea)

    @rule()
    def fold(self) -> None:
        assert self.connection.execute("SELECT coins_fold()").fetchone() is not None

    def _settle(self) -> None:
        for (settlement_id,) in self.connection.execute(
            "SELECT id FROM coin_settlements WHERE campaign_id = %s AND finished_at IS NULL", (self.campaign_id,)
        ).fetchall():
            while self.connection.execute("SELECT coins_settle_next(%s, 3)", (settlement_id,)).fetchone() == (False,):
                pass

    @rule(limit=st.sampled_from([None, 0]))
    def close_ledger(self, limit: int | None) -> None:
        if self.is_over or len(self.closed) < IDEAS - 1:
            return
        # a limit of 0 leaves everything to a settlement, carried out three accounts at a time
        row = self.connection.execute(
            "SELECT is_settling FROM coins_close_ledger(%s, NULL, NULL, %s)", (self.campaign_id, limit)
        ).fetchone()
        if row == (True,):
            self._settle()
        self.expired += sum(self.wallets.values()) + sum(self.stakes.values())
        self.wallets = dict.fromkeys(self.wallets, 0)
        self.stakes.clear()
        self.closed |= self.open
        self.open.clear()
        self.is_over = True

    @invariant()
    def conservation_holds(self) -> None:
        row = self.connection.execute(
            "SELECT issued_coins, wallet_coins, staked_coins, expired_coins, difference_coins, wrong_balances, "
            "unbalanced_transfers + wrong_totals FROM coins_verify(%s)",
            (self.campaign_id,),
        ).fetchone()
        if row is None:
            return
        expected = (
            20 * len(self.wallets) + self.corrected,
            sum(self.wallets.values()),
            sum(self.stakes.values()),
            self.expired,
            0,
            0,
            0,
        )
        assert row == expected


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_the_ledger_follows_its_model(database: Settings) -> None:
    """LEDGER_EXAMPLES runs it longer."""
    LedgerMachine.url = database.role_url("app")
    examples = int(os.environ.get("LEDGER_EXAMPLES", "25"))
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
