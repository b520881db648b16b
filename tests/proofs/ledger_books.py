"""The ledger in the database with the interface of the model: the same commands and results as `ledger_model.Model`."""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID, uuid4

from psycopg import errors

from api.coins.commands.moves import SQL, Move, Outcome, as_arguments
from api.coins.policies import PolicyWrite
from tests.proofs.ledger_terms import CLOSED, IDEAS, IN_GRACE, LACKS_SUPPORT, MEMBERS, TOO_EARLY, Closed, MoveResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    import psycopg

    from tests.proofs.ledger_terms import Correction, Item, Kind, Policy

# outcomes whose numbers are part of the response
NUMBERED = {"insufficient_coins", "insufficient_stake", "above_maximum", "below_minimum"}

_REFUSALS = {
    "coin_targets_in_grace": IN_GRACE, "coin_targets_decided_early": TOO_EARLY, "coin_targets_lack_support": LACKS_SUPPORT,
}  # fmt: skip

_BALANCES = """
    SELECT a.kind, a.user_id, a.idea_id, coalesce(a.balance_coins, (
        SELECT coalesce(sum(p.amount_coins), 0) FROM app.coin_postings AS p
        WHERE p.account_id = a.id AND p.account_version IS NULL
    ))::bigint
    FROM app.coin_accounts AS a WHERE a.campaign_id = %(id)s
    UNION ALL
    (SELECT 'xid', NULL, NULL, xid::text::bigint FROM app.coin_transfers WHERE campaign_id = %(id)s ORDER BY xid DESC LIMIT 1)
"""
_WRITTEN = """
    SELECT (SELECT count(*) FROM app.coin_transfers WHERE campaign_id = %(id)s),
        (SELECT count(*) FROM app.coin_keys WHERE campaign_id = %(id)s),
        (SELECT count(*) FROM app.coin_policies WHERE campaign_id = %(id)s),
        (SELECT (count(*), max(grace_from), max(grace_until))::text FROM app.coin_targets WHERE campaign_id = %(id)s),
        (SELECT count(*) FROM app.events WHERE campaign_id = %(id)s),
        (SELECT count(*) FROM app.coin_settlements WHERE campaign_id = %(id)s AND finished_at IS NULL),
        (SELECT (count(*), sum(version), count(frozen_at), max(moved_at))::text FROM app.coin_accounts
            WHERE campaign_id = %(id)s)
"""
# a posting's balance is the previous balance plus its amount, and times do not decrease within an account
_BROKEN_CHAINS = """
    SELECT count(*) FROM (
        SELECT p.account_version, p.balance_after_coins - p.amount_coins AS before_coins, p.effective_at,
            lag(p.account_version) OVER w AS last_version, lag(p.balance_after_coins) OVER w AS last_coins,
            lag(p.effective_at) OVER w AS last_at
        FROM app.coin_accounts AS a JOIN app.coin_postings AS p ON p.account_id = a.id
        WHERE a.campaign_id = %s AND p.account_version IS NOT NULL
        WINDOW w AS (PARTITION BY p.account_id ORDER BY p.account_version)
    ) AS c
    WHERE c.account_version <> coalesce(c.last_version, 0) + 1 OR c.before_coins <> coalesce(c.last_coins, 0)
        OR c.effective_at < c.last_at
"""


class Balances(NamedTuple):
    """All balances of the campaign after the transaction `xid`."""

    xid: int

    issued: int
    wallets: dict[int, int]
    stakes: dict[tuple[int, int], int]
    expired: int


class Books:
    """One campaign's ledger, over one connection."""

    def __init__(self, connection: psycopg.Connection, policy: Policy) -> None:
        """Opens the ledger. The connection is in autocommit mode."""
        self.connection = connection
        self.campaign_id = uuid4()
        self.users = sorted(uuid4() for _ in range(MEMBERS))
        self.ideas = sorted(uuid4() for _ in range(IDEAS))
        self._transfers: dict[UUID | None, int] = {}
        connection.execute("SELECT app.coins_open_ledger(%s, %s::jsonb, NULL)", (self.campaign_id, _as_json(policy)))

    def execute(self, command: str, *arguments: Any) -> Any:
        """Execute the command and return its result."""
        try:
            return getattr(self, command)(*arguments)
        except (errors.ObjectNotInPrerequisiteState, errors.NoDataFound) as error:
            return _as_refusal(error)

    def dry_run(self, command: str, *arguments: Any) -> Any:
        """Execute the command with all checks of a commit, and roll it back; returns its result."""
        transfers = dict(self._transfers)
        try:
            with self.connection.transaction(force_rollback=True):
                result = getattr(self, command)(*arguments)
                self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        except (errors.ObjectNotInPrerequisiteState, errors.NoDataFound) as error:
            return _as_refusal(error)
        finally:
            self._transfers = transfers
        return result

    def grant(self, members: Sequence[int]) -> list[int]:
        users = [self.users[member] for member in members]
        (granted,) = self._one("SELECT app.coins_grant(%s, %s::uuid[], NULL)", self.campaign_id, users)
        return sorted(self.users.index(user) for user in granted)

    def freeze(self, member: int) -> None:
        self._one("SELECT app.coins_freeze_wallets(%s, %s::uuid[])", self.campaign_id, [self.users[member]])

    def open_idea(self, idea: int) -> None:
        # member n is the author of idea n, so that the rule about own ideas applies
        author = self.users[idea] if idea < MEMBERS else None
        self._one(
            "SELECT app.coins_open_targets(%s, %s::uuid[], %s::uuid[])", self.campaign_id, [self.ideas[idea]], [author]
        )

    def begin_grace(self, idea: int) -> bool:
        (until,) = self._one("SELECT app.coins_begin_grace(%s, %s)", self.campaign_id, self.ideas[idea])
        return until is not None

    def set_policy(self, policy: Policy) -> tuple[int, list[str]]:
        version, frozen = self._one(
            "SELECT version, frozen FROM app.coins_set_policy(%s, %s::jsonb, NULL)", self.campaign_id, _as_json(policy)
        )
        return version, sorted(frozen)

    def move(self, items: Sequence[Item]) -> list[MoveResult]:
        rows = self.connection.execute(SQL, as_arguments([self._as_move(item) for item in items])).fetchall()
        return [self._as_result(outcome) for outcome in sorted(starmap(Outcome, rows), key=lambda row: row.item)]

    def _as_move(self, item: Item) -> Move:
        return Move(
            self.campaign_id,
            self.users[item.member],
            None if item.source is None else self.ideas[item.source],
            None if item.target is None else self.ideas[item.target],
            item.coins,
            item.key,
            repr(item).encode() if item.key else None,
        )

    def _as_result(self, row: Outcome) -> MoveResult:
        if row.outcome == "moved":
            self._transfers[row.transfer_id] = len(self._transfers)
        if row.outcome in {"moved", "replayed"}:
            return MoveResult(
                row.outcome, self._transfers[row.transfer_id], row.from_balance_coins, row.to_balance_coins
            )
        if row.outcome in NUMBERED:
            return MoveResult(row.outcome, has_coins=row.has_coins, limit_coins=row.limit_coins)
        return MoveResult(row.outcome)

    def correct(self, lines: Sequence[Correction]) -> list[tuple[str, int | None]]:
        return self.connection.execute(
            "SELECT outcome, wallet_coins FROM app.coins_correct(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[], "
            "%s::text[], %s::text[], NULL) ORDER BY item",
            (
                [self.campaign_id] * len(lines),
                [self.users[line.member] for line in lines],
                [line.kind for line in lines],
                [line.coins for line in lines],
                ["counted wrongly" if line.has_reason else " " for line in lines],
                [None] * len(lines),
            ),
        ).fetchall()

    def close_ideas(self, ideas: Sequence[int], kind: Kind, inline_max: int | None) -> list[Closed]:
        rows = self.connection.execute(
            "SELECT idea_id, settled_coins, settled_backers, is_settling "
            "FROM app.coins_close_targets(%s, %s::uuid[], %s, NULL, 'decided', NULL, %s)",
            (self.campaign_id, [self.ideas[idea] for idea in ideas], kind, inline_max),
        ).fetchall()
        return sorted(Closed(self.ideas.index(idea_id), *had) for idea_id, *had in rows)

    def undo_acceptance(self, idea: int) -> tuple[int, int]:
        coins, backers = self._one(
            "SELECT coins, backers FROM app.coins_reopen_target(%s, %s, NULL, 'a mistake')",
            self.campaign_id,
            self.ideas[idea],
        )
        return coins, backers

    def close_ledger(self, inline_max: int | None) -> tuple[int, bool]:
        wallet_coins, is_settling = self._one(
            "SELECT wallet_coins, is_settling FROM app.coins_close_ledger(%s, NULL, NULL, %s)",
            self.campaign_id,
            inline_max,
        )
        return wallet_coins, is_settling

    def settle_next(self, nth: int, accounts_max: int) -> bool:
        (is_finished,) = self._one(
            "SELECT app.coins_settle_next((SELECT id FROM app.coin_settlements "
            "WHERE campaign_id = %s AND finished_at IS NULL ORDER BY requested_at OFFSET %s LIMIT 1), %s)",
            self.campaign_id,
            nth,
            accounts_max,
        )
        return bool(is_finished)

    def aggregate(self) -> None:
        """Aggregate the totals up to the watermark."""
        self._one("SELECT app.coins_aggregate_totals()")

    def balances(self) -> Balances:
        single: dict[str, int] = {"xid": 0}
        wallets, stakes = {}, {}
        for kind, user_id, idea_id, coins in self.connection.execute(_BALANCES, {"id": self.campaign_id}).fetchall():
            if kind == "wallet":
                wallets[self.users.index(user_id)] = coins
            elif kind == "stake":
                stakes[self.users.index(user_id), self.ideas.index(idea_id)] = coins
            else:
                single[kind] = coins
        assert single["carried_in"] == single["carried_out"] == 0
        return Balances(single["xid"], -single["mint"], wallets, stakes, single["expired"])

    def aggregated(self) -> tuple[int, dict[int, tuple[int, int]]]:
        """The watermark of the totals, and the totals."""
        rows = self.connection.execute(
            "SELECT f.aggregated_xid::text::bigint, t.idea_id, t.coins, t.backers FROM app.coin_aggregations AS f "
            "LEFT JOIN app.coin_totals AS t ON t.campaign_id = %s",
            (self.campaign_id,),
        ).fetchall()
        return rows[0][0], {self.ideas.index(id_): (coins, backers) for _, id_, coins, backers in rows if id_}

    def closed(self) -> tuple[dict[int, tuple[int, int] | None], set[int]]:
        """Each opened idea with its coins at closing, and the ideas that are being settled."""
        rows = self.connection.execute(
            "SELECT idea_id, is_open, settled_coins, settled_backers, NOT is_open AND settled_at IS NULL "
            "FROM app.coin_targets WHERE campaign_id = %s",
            (self.campaign_id,),
        ).fetchall()
        return (
            {self.ideas.index(id_): None if is_open else (coins, backers) for id_, is_open, coins, backers, _ in rows},
            {self.ideas.index(id_) for id_, *_, is_settling in rows if is_settling},
        )

    def faults(self) -> int:
        """Number of errors found by verification, and of gaps in the versions of an account."""
        (wrong,) = self._one(
            "SELECT abs(difference_coins) + wrong_balances + unbalanced_transfers + wrong_totals FROM app.coins_verify(%s)",
            self.campaign_id,
        )
        (broken,) = self._one(_BROKEN_CHAINS, self.campaign_id)
        return int(wrong) + int(broken)

    def written(self) -> tuple[Any, ...]:
        """Row counts of each table, and the version and time of every account."""
        row = self.connection.execute(_WRITTEN, {"id": self.campaign_id}).fetchone()
        assert row is not None
        return row

    def _one(self, statement: str, *arguments: Any) -> tuple[Any, ...]:
        row = self.connection.execute(statement.encode(), arguments).fetchone()
        assert row is not None
        return row


def _as_refusal(error: psycopg.Error) -> str:
    return _REFUSALS.get(error.diag.constraint_name or "", CLOSED)


def _as_json(policy: Policy) -> str:
    # late_grant needs a beginning, which is before all ends
    dates = policy | {"allocation_opens_at": "1999"}
    named = ("allocation_opens_at", "allocate_until", "take_back_until")
    return PolicyWrite(
        **(dates | {name: f"{dates[name]}-01-01T00:00:00Z" if dates[name] else None for name in named})
    ).model_dump_json()
