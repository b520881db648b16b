"""Refusals of the database for every role."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import psycopg
import pytest
import pytest_asyncio

from api.coins import service as coins
from api.kernel.db import Database
from tests.factories.ledgers import Ledger, aggregate_now, make_ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

TABLES = (
    "coin_transfers",
    "coin_postings",
    "coin_accounts",
    "coin_targets",
    "coin_policies",
    "coin_ledgers",
    "coin_keys",
    "coin_totals",
    "coin_flows_daily",
)


@pytest_asyncio.fixture(scope="module")
async def ledger(database: Settings) -> Ledger:
    """A committed ledger with one allocation."""
    db = Database(database.database)
    async with db.session() as session:
        ledger = await make_ledger(session)
        await coins.move_coins(session, [ledger.move(30, target=1, key="a")])
    await db.close()
    return ledger


@pytest.fixture
def as_app(database: Settings) -> Iterator[psycopg.Connection]:
    """A connection with the role of the API."""
    with psycopg.connect(database.database.role_url("app")) as connection:
        yield connection
        connection.rollback()


@pytest.fixture
def as_owner(admin_url: str) -> Iterator[psycopg.Connection]:
    """A connection with the role that owns the schema."""
    with psycopg.connect(admin_url) as connection:
        connection.execute("SET ROLE ideamint_owner")
        connection.execute("SET search_path = app")
        yield connection
        connection.rollback()


@pytest.mark.usefixtures("ledger")
class TestTheApplication:
    @pytest.mark.parametrize("table", TABLES)
    @pytest.mark.parametrize(
        "command", ["UPDATE app.{} SET campaign_id = NULL", "DELETE FROM app.{}", "TRUNCATE app.{}"]
    )
    def test_cannot_change_a_row_of_the_ledger(self, as_app: psycopg.Connection, table: str, command: str) -> None:
        if table == "coin_postings":
            command = command.replace("campaign_id", "account_id")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_app.execute(command.format(table))

    @pytest.mark.parametrize("table", TABLES)
    def test_cannot_insert_a_row_into_the_ledger(self, as_app: psycopg.Connection, table: str) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_app.execute(f"INSERT INTO app.{table} DEFAULT VALUES")

    def test_cannot_call_the_posting_function(self, as_app: psycopg.Connection) -> None:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            as_app.execute("SELECT app.coins_post(NULL, 'grant', '{}', '{}', '{}', NULL, NULL, NULL)")

    def test_cannot_correct_without_a_reason_or_beyond_the_wallet(
        self, as_app: psycopg.Connection, ledger: Ledger
    ) -> None:
        """The function checks its arguments itself."""
        items = [("correct", 5, None), ("correct", 5, " "), ("correct", -71, "why"), ("correct", -(2**63), "why"),
                 ("correct", 2**63 - 1, "why"), ("correct", None, "why"), ("grant", 99, None), ("take", 5, "why")]  # fmt: skip
        rows = as_app.execute(
            "SELECT outcome, has_coins FROM app.coins_correct(%s::uuid[], %s::uuid[], %s::text[], %s::bigint[], %s::text[], "
            "%s::text[], NULL) ORDER BY item",
            (
                [ledger.campaign_id] * len(items),
                [ledger.members[1]] * len(items),
                *([item[n] for item in items] for n in range(3)),
                [None] * len(items),
            ),
        ).fetchall()
        assert [outcome for outcome, _ in rows] == [
            "reason_missing", "reason_missing", "insufficient_coins", "insufficient_coins", "above_maximum",
            "coins_missing", "coins_differ", "unknown_kind",
        ]  # fmt: skip
        assert {has for _, has in rows} == {70}


@pytest.mark.usefixtures("ledger")
class TestTheOwner:
    @pytest.mark.parametrize(
        "command",
        [
            "UPDATE coin_postings SET amount_coins = amount_coins * 2",
            "DELETE FROM coin_postings",
            "UPDATE coin_transfers SET kind = 'grant'",
            "DELETE FROM coin_transfers",
            "DELETE FROM coin_accounts",
            "DELETE FROM coin_keys",
            "UPDATE coin_policies SET coins_per_member = 1",
            "DELETE FROM coin_policies",
            "TRUNCATE coin_postings",
            "UPDATE events SET kind = 'other'",
            "DELETE FROM events",
        ],
    )
    def test_cannot_rewrite_history(self, as_owner: psycopg.Connection, command: str) -> None:
        with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
            as_owner.execute(command)

    @pytest.mark.parametrize("amounts", [(-5, 4), (-5, None), (None, 5), (None, None)])
    def test_cannot_commit_a_transfer_that_is_not_balanced(
        self, as_owner: psycopg.Connection, ledger: Ledger, amounts: tuple[int | None, int | None]
    ) -> None:
        transfer_id = uuid4()
        as_owner.execute(
            "INSERT INTO coin_transfers (id, campaign_id, batch_id, kind, effective_at) VALUES (%s, %s, %s, 'correct', now())",
            (transfer_id, ledger.campaign_id, transfer_id),
        )
        for side, amount in zip((-1, 1), amounts, strict=True):
            if amount is not None:
                as_owner.execute(
                    "INSERT INTO coin_postings (transfer_id, side, account_id, amount_coins, effective_at) "
                    "SELECT %s, %s, mint_id, %s, now() FROM coin_ledgers WHERE campaign_id = %s",
                    (transfer_id, side, amount, ledger.campaign_id),
                )
        with pytest.raises(psycopg.errors.CheckViolation, match="not 2 that sum to 0"):
            as_owner.commit()

    def test_cannot_add_a_posting_to_an_old_transfer(self, as_owner: psycopg.Connection, ledger: Ledger) -> None:
        with pytest.raises(psycopg.errors.UniqueViolation):
            as_owner.execute(
                "INSERT INTO coin_postings (transfer_id, side, account_id, amount_coins, effective_at) "
                "SELECT t.id, 1, l.mint_id, 5, now() FROM coin_ledgers AS l "
                "JOIN coin_transfers AS t ON t.campaign_id = l.campaign_id WHERE l.campaign_id = %s LIMIT 1",
                (ledger.campaign_id,),
            )

    def test_cannot_post_across_campaigns(self, as_owner: psycopg.Connection, ledger: Ledger) -> None:
        transfer_id = uuid4()
        as_owner.execute(
            "INSERT INTO coin_transfers (id, campaign_id, batch_id, kind, effective_at) VALUES (%s, %s, %s, 'correct', now())",
            (transfer_id, uuid4(), transfer_id),
        )
        as_owner.execute(
            "INSERT INTO coin_postings (transfer_id, side, account_id, amount_coins, effective_at) "
            "SELECT %s, s.side, mint_id, 5 * s.side, now() FROM coin_ledgers, (VALUES (-1), (1)) AS s (side) "
            "WHERE campaign_id = %s",
            (transfer_id, ledger.campaign_id),
        )
        with pytest.raises(psycopg.errors.CheckViolation, match="within its campaign"):
            as_owner.commit()

    def test_cannot_overdraw_a_wallet(self, as_owner: psycopg.Connection, ledger: Ledger) -> None:
        with pytest.raises(psycopg.errors.CheckViolation, match="no_overdraft"):
            as_owner.execute(
                "UPDATE coin_accounts SET balance_coins = -1 WHERE kind = 'wallet' AND campaign_id = %s",
                (ledger.campaign_id,),
            )


class TestVerify:
    async def test_reports_a_campaign_whose_balances_differ_from_its_postings(
        self, database: Settings, admin_url: str
    ) -> None:
        db = Database(database.database)
        async with db.session() as session:
            ledger = await make_ledger(session)
        with psycopg.connect(admin_url) as connection:
            connection.execute(
                "UPDATE app.coin_accounts SET balance_coins = balance_coins - 1 "
                "WHERE campaign_id = %s AND user_id = %s AND kind = 'wallet'",
                (ledger.campaign_id, ledger.members[0]),
            )
        async with db.session() as session:
            (found,) = await coins.verify(session, ledger.campaign_id)
        with psycopg.connect(admin_url) as connection:
            connection.execute(
                "UPDATE app.coin_accounts SET balance_coins = balance_coins + 1 "
                "WHERE campaign_id = %s AND user_id = %s AND kind = 'wallet'",
                (ledger.campaign_id, ledger.members[0]),
            )
        await db.close()
        assert (found.holds, found.difference_coins, found.wrong_balances) == (False, 1, 1)

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE app.coin_flows_daily SET coins = coins + 1 WHERE campaign_id = %s AND kind = 'allocate'",
            "UPDATE app.coin_flows_daily SET transfers = transfers + 1 WHERE campaign_id = %s AND kind = 'allocate'",
            "DELETE FROM app.coin_flows_daily WHERE campaign_id = %s AND kind = 'allocate'",
            "UPDATE app.coin_totals SET coins = coins + 1 WHERE campaign_id = %s",
            "UPDATE app.coin_totals SET backers = backers + 1 WHERE campaign_id = %s",
        ],
    )
    async def test_reports_an_aggregated_total_that_differs_from_the_postings(
        self, database: Settings, admin_url: str, change: str
    ) -> None:
        db = Database(database.database)
        async with db.session() as session:
            ledger = await make_ledger(session)
            await coins.move_coins(session, [ledger.move(30, target=1)])
        await aggregate_now(db)
        await db.close()
        with psycopg.connect(admin_url) as connection:
            verify = "SELECT wrong_totals, wrong_balances FROM app.coins_verify(%s)"
            assert connection.execute(verify, (ledger.campaign_id,)).fetchone() == (0, 0)
            connection.execute(change, (ledger.campaign_id,))
            assert connection.execute(verify, (ledger.campaign_id,)).fetchone() == (1, 0)
            connection.rollback()

    @pytest.mark.parametrize(
        "change",
        [
            "UPDATE app.coin_accounts SET version = version + 1 WHERE campaign_id = %s AND kind = 'stake'",
            "UPDATE app.coin_accounts SET moved_at = moved_at - interval '1 s' WHERE campaign_id = %s AND kind = 'stake'",
        ],
    )
    async def test_reports_an_account_whose_history_is_out_of_order(
        self, database: Settings, admin_url: str, change: str
    ) -> None:
        db = Database(database.database)
        async with db.session() as session:
            ledger = await make_ledger(session)
            await coins.move_coins(session, [ledger.move(30, target=1)])
        await db.close()
        with psycopg.connect(admin_url) as connection:
            connection.execute(change, (ledger.campaign_id,))
            found = connection.execute(
                "SELECT wrong_balances FROM app.coins_verify(%s)", (ledger.campaign_id,)
            ).fetchone()
            connection.rollback()
        assert found == (1,)

    async def test_reports_a_stake_that_got_coins_after_it_was_settled(
        self, database: Settings, admin_url: str
    ) -> None:
        """Only the reversal of its settlement may follow, because the last posting determines the expired coins."""
        db = Database(database.database)
        async with db.session() as session:
            ledger = await make_ledger(session)
            await coins.move_coins(session, [ledger.move(30, target=1)])
            await coins.close_targets(session, ledger.campaign_id, [ledger.ideas[1]], kind="expire", actor_id=None)
        await db.close()
        with psycopg.connect(admin_url) as connection:
            connection.execute(
                "SELECT app.coins_post(a.campaign_id, 'allocate', ARRAY[w.id], ARRAY[a.id], ARRAY[1], NULL, NULL, NULL) "
                "FROM app.coin_accounts AS a JOIN app.coin_accounts AS w ON w.campaign_id = a.campaign_id "
                "AND w.user_id = a.user_id AND w.kind = 'wallet' WHERE a.campaign_id = %s AND a.kind = 'stake'",
                (ledger.campaign_id,),
            )
            found = connection.execute(
                "SELECT wrong_balances FROM app.coins_verify(%s)", (ledger.campaign_id,)
            ).fetchone()
            connection.rollback()
        assert found == (1,)
