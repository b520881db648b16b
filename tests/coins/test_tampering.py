"""Changes of a sealed ledger by a superuser who disables all triggers, and their findings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import psycopg
import pytest
import pytest_asyncio
from psycopg.rows import dict_row

from api.coins import service as coins
from api.coins.chain import chains
from api.kernel.db import Database
from cli.local import databases, postgres
from tests.factories.ledgers import Ledger, make_sealed_ledger, seal_now
from tests.factories.warehouse import database_of_its_own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settings import Settings

BLOCKS = 4


@dataclass(frozen=True)
class Sealed:
    """A ledger whose transfers are in four blocks, in the order in which they were sealed."""

    ledger: Ledger
    transfers: list[UUID]


async def seal_ledger(db: Database) -> Sealed:
    """3 grants; 2 movements; an expiry of 2 stakes with a reason; a movement."""
    ledger = await make_sealed_ledger(db, "Built")
    async with db.session() as session:
        await coins.move_coins(session, [ledger.move(5, target=2)])
    await seal_now(db)
    async with db.session() as session:
        connection = await session.connection()
        rows = await connection.exec_driver_sql(
            "SELECT transfer_id FROM app.coin_block_transfers WHERE campaign_id = %s ORDER BY height, position",
            (ledger.campaign_id,),
        )
        return Sealed(ledger, list(rows.scalars()))


@pytest_asyncio.fixture(scope="module")
async def sealed(quiet_db: Database) -> Sealed:
    """A ledger for tests whose changes are rolled back."""
    return await seal_ledger(quiet_db)


@pytest.fixture
def tampering(quiet_admin_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    """A superuser connection without triggers and foreign keys; its changes are rolled back after the test."""
    with psycopg.connect(quiet_admin_url, row_factory=dict_row) as connection:
        connection.execute("SET search_path = app")
        connection.execute("SET session_replication_role = replica")
        yield connection
        connection.rollback()


def check(
    connection: psycopg.Connection[dict[str, Any]], sealed: Sealed, findings_max: int = 100
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """The counts that are not 0, and the findings."""
    row = connection.execute(
        "SELECT * FROM coins_check_chain(%s, %s)", (sealed.ledger.campaign_id, findings_max)
    ).fetchone()
    assert row is not None
    names = ("wrong_blocks", "altered_transfers", "removed_transfers", "unsealed_transfers")
    return {name: row[name] for name in names if row[name]}, row["findings"]


def test_an_unchanged_ledger_is_valid(tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed) -> None:
    assert len(sealed.transfers) == 8
    assert check(tampering, sealed) == ({}, [])


# Each changes the first movement (member 1 put 30 coins on idea 1), as one or more statements separated by semicolons.
# An account's versions are unique and checked row by row, so the sides are swapped through unused versions.
ALTERATIONS = {
    "amount": "UPDATE coin_postings SET amount_coins = amount_coins * 2 WHERE transfer_id = %(id)s",
    "amount of one side": "UPDATE coin_postings SET amount_coins = -31 WHERE transfer_id = %(id)s AND side = -1",
    "sides": "UPDATE coin_postings SET account_version = account_version + 1000 WHERE transfer_id = %(id)s; "
    "UPDATE coin_postings AS p SET account_id = o.account_id, account_version = o.account_version - 1000 "
    "FROM coin_postings AS o WHERE p.transfer_id = %(id)s AND o.transfer_id = p.transfer_id AND o.side <> p.side",
    "balance after it": "UPDATE coin_postings SET balance_after_coins = 71 WHERE transfer_id = %(id)s AND side = -1",
    "version": "UPDATE coin_postings SET account_version = 99 WHERE transfer_id = %(id)s AND side = 1",
    "time of a posting": "UPDATE coin_postings SET effective_at = effective_at + interval '1 us' "
    "WHERE transfer_id = %(id)s AND side = 1",
    "time": "UPDATE coin_transfers SET effective_at = effective_at - interval '1 us' WHERE id = %(id)s",
    "time of recording": "UPDATE coin_transfers SET recorded_at = recorded_at + interval '1 us' WHERE id = %(id)s",
    "kind": "UPDATE coin_transfers SET kind = 'correct' WHERE id = %(id)s",
    "actor": "UPDATE coin_transfers SET actor_id = gen_random_uuid() WHERE id = %(id)s",
    "reason": "UPDATE coin_transfers SET reason = '' WHERE id = %(id)s",
    "batch": "UPDATE coin_transfers SET batch_id = gen_random_uuid() WHERE id = %(id)s",
    "transaction": "UPDATE coin_transfers SET xid = '3' WHERE id = %(id)s",
    "campaign": "UPDATE coin_transfers SET campaign_id = gen_random_uuid() WHERE id = %(id)s",
    "a posting's account": "UPDATE coin_postings SET account_id = (SELECT carried_out_id FROM coin_ledgers "
    "WHERE campaign_id = %(campaign_id)s) WHERE transfer_id = %(id)s AND side = 1",
    "a posting gone": "DELETE FROM coin_postings WHERE transfer_id = %(id)s AND side = 1",
    "both postings gone": "DELETE FROM coin_postings WHERE transfer_id = %(id)s",
}


class TestAltered:
    @pytest.mark.parametrize("alteration", ALTERATIONS)
    def test_transfer_is_named(
        self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed, alteration: str
    ) -> None:
        altered = sealed.transfers[3]
        for statement in ALTERATIONS[alteration].split(";"):
            changed = tampering.execute(statement.encode(), {"id": altered, "campaign_id": sealed.ledger.campaign_id})
            assert changed.rowcount > 0
        counts, findings = check(tampering, sealed)
        assert counts == {"altered_transfers": 1}
        assert [(each["problem"], each["transfer_id"], each["height"], each["position"]) for each in findings] == [
            ("altered_transfer", str(altered), 2, 1)
        ]

    def test_owner_of_an_account_is_reported_for_each_of_its_transfers(
        self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed
    ) -> None:
        tampering.execute(
            "UPDATE coin_accounts SET user_id = gen_random_uuid() WHERE campaign_id = %s AND user_id = %s AND kind = 'wallet'",
            (sealed.ledger.campaign_id, sealed.ledger.members[1]),
        )
        counts, findings = check(tampering, sealed)
        assert counts == {"altered_transfers": 3}, "a grant and two movements"
        assert [each["height"] for each in findings] == [1, 2, 4]

    def test_all_are_counted_and_the_first_are_listed(
        self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed
    ) -> None:
        tampering.execute("UPDATE coin_transfers SET reason = 'x' WHERE campaign_id = %s", (sealed.ledger.campaign_id,))
        counts, findings = check(tampering, sealed, findings_max=2)
        assert counts == {"altered_transfers": 8}
        assert [each["transfer_id"] for each in findings] == [str(each) for each in sealed.transfers[:2]]


class TestRemoved:
    def test_transfer_is_named(self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed) -> None:
        gone = sealed.transfers[4]
        tampering.execute("DELETE FROM coin_postings WHERE transfer_id = %s", (gone,))
        tampering.execute("DELETE FROM coin_transfers WHERE id = %s", (gone,))
        counts, (finding,) = check(tampering, sealed)
        assert counts == {"removed_transfers": 1}
        assert (finding["transfer_id"], finding["height"], finding["position"]) == (str(gone), 2, 2)

    def test_with_its_position_in_the_block_is_reported_for_the_block(
        self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed
    ) -> None:
        gone = sealed.transfers[4]
        tampering.execute("DELETE FROM coin_postings WHERE transfer_id = %s", (gone,))
        tampering.execute("DELETE FROM coin_transfers WHERE id = %s", (gone,))
        tampering.execute("DELETE FROM coin_block_transfers WHERE transfer_id = %s", (gone,))
        counts, findings = check(tampering, sealed)
        assert counts == {"wrong_blocks": 1}
        assert (findings[0]["height"], findings[0]["detail"]) == (
            2, "its hash is not that of its time and its transfers",
        )  # fmt: skip

    def test_position_in_a_block_leaves_a_transfer_without_a_block(
        self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed
    ) -> None:
        tampering.execute("DELETE FROM coin_block_transfers WHERE transfer_id = %s", (sealed.transfers[4],))
        counts, findings = check(tampering, sealed)
        assert counts == {"wrong_blocks": 1, "unsealed_transfers": 1}
        assert [(each["height"], each["transfer_id"]) for each in findings] == [
            (2, None), (None, str(sealed.transfers[4])),
        ]  # fmt: skip


class TestInserted:
    def test_transfer_is_named(self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed) -> None:
        """Well formed, balanced, and with the number of an old transaction."""
        made = uuid4()
        tampering.execute(
            "INSERT INTO coin_transfers (id, campaign_id, batch_id, kind, effective_at, recorded_at, xid) "
            "SELECT %s, campaign_id, batch_id, kind, effective_at, recorded_at, xid FROM coin_transfers WHERE id = %s",
            (made, sealed.transfers[0]),
        )
        tampering.execute(
            "INSERT INTO coin_postings (transfer_id, side, account_id, amount_coins, effective_at) "
            "SELECT %s, side, account_id, amount_coins, effective_at FROM coin_postings WHERE transfer_id = %s",
            (made, sealed.transfers[0]),
        )
        counts, (finding,) = check(tampering, sealed)
        assert counts == {"unsealed_transfers": 1}
        assert (finding["problem"], finding["transfer_id"]) == ("unsealed_transfer", str(made))

    def test_a_new_transfer_is_only_not_sealed_yet(
        self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed
    ) -> None:
        tampering.execute(
            "INSERT INTO coin_transfers (id, campaign_id, batch_id, kind, effective_at) "
            "SELECT gen_random_uuid(), campaign_id, batch_id, kind, effective_at FROM coin_transfers WHERE id = %s",
            (sealed.transfers[0],),
        )
        assert check(tampering, sealed) == ({}, [])


HASH = "sha256('other')"


class TestBlocks:
    @pytest.mark.parametrize(
        ("change", "heights"),
        [
            (f"UPDATE coin_blocks SET hash = {HASH} WHERE campaign_id = %(id)s AND height = 2", [2, 3]),
            (f"UPDATE coin_blocks SET previous_hash = {HASH} WHERE campaign_id = %(id)s AND height = 2", [2]),
            (
                "UPDATE coin_blocks SET sealed_at = sealed_at - interval '1 s' WHERE campaign_id = %(id)s AND height = 3",
                [3],
            ),
            (
                "UPDATE coin_blocks SET sealed_transfers = sealed_transfers + 1 WHERE campaign_id = %(id)s AND height = 4",
                [4, 4],
            ),
            ("UPDATE coin_blocks SET height = height + 1 WHERE campaign_id = %(id)s AND height = 4", [4, 4, 5]),
            ("DELETE FROM coin_blocks WHERE campaign_id = %(id)s AND height = 2", [2, 3]),
            ("DELETE FROM coin_blocks WHERE campaign_id = %(id)s AND height = 4", [4, 4]),
            ("DELETE FROM coin_blocks WHERE campaign_id = %(id)s", [1, 2, 3, 4, 4]),
            (f"UPDATE coin_block_transfers SET hash = {HASH} WHERE transfer_id = %(transfer)s", [2, 2]),
            (
                "UPDATE coin_block_transfers SET position = 3 - position + 10 WHERE campaign_id = %(id)s AND height = 2",
                [2],
            ),
            (f"UPDATE coin_chains SET hash = {HASH} WHERE campaign_id = %(id)s", [4]),
            (
                "UPDATE coin_chains SET height = 3, sealed_transfers = 7 WHERE campaign_id = %(id)s",
                [3],
            ),
        ],
    )  # fmt: skip
    def test_a_change_is_reported(
        self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed, change: str, heights: list[int]
    ) -> None:
        assert tampering.execute(
            change.encode(), {"id": sealed.ledger.campaign_id, "transfer": sealed.transfers[3]}
        ).rowcount
        counts, findings = check(tampering, sealed)
        assert counts["wrong_blocks"] >= 1
        assert [each["height"] for each in findings] == heights

    def test_a_deleted_chain_leaves_transfers_without_a_block(
        self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed
    ) -> None:
        for table in ("coin_block_transfers", "coin_blocks", "coin_chains"):
            tampering.execute(f"DELETE FROM {table} WHERE campaign_id = %s".encode(), (sealed.ledger.campaign_id,))
        assert check(tampering, sealed)[0] == {"unsealed_transfers": 8}

    def test_another_key_changes_every_transfer(
        self, tampering: psycopg.Connection[dict[str, Any]], sealed: Sealed
    ) -> None:
        tampering.execute(
            "UPDATE coin_chains SET key = sha256('guessed') WHERE campaign_id = %s", (sealed.ledger.campaign_id,)
        )
        assert check(tampering, sealed)[0] == {"altered_transfers": 8}


class TestKeptHead:
    async def test_is_in_the_chain_after_further_blocks(self, quiet_db: Database) -> None:
        sealed = await seal_ledger(quiet_db)
        campaign_id = sealed.ledger.campaign_id
        async with quiet_db.session() as session:
            head = await chains.get_head(session, campaign_id)
            await coins.move_coins(session, [sealed.ledger.move(1, target=2)])
        await seal_now(quiet_db)
        async with quiet_db.session() as session:
            for height in range(BLOCKS + 1):
                kept = chains.KeptHead.parse(f"{height}:{(await chains.get_head(session, campaign_id, height)).hash}")
                found = await chains.check_chain(session, campaign_id, kept)
                assert (found.holds, found.has_kept_head, found.height) == (True, True, BLOCKS + 1)
            assert kept == chains.KeptHead(head.height, head.hash)
            for kept in (chains.KeptHead(head.height - 1, head.hash), chains.KeptHead(head.height + 9, head.hash)):
                found = await chains.check_chain(session, campaign_id, kept)
                assert (found.holds, found.has_kept_head, found.findings) == (False, False, [])

    async def test_alone_proves_that_a_chain_was_rebuilt(self, server: Settings, worker: str, tmp_path: Path) -> None:
        """An amount is doubled and all transfers are sealed again with the same function."""
        with database_of_its_own(server, f"rebuilt_{worker}", tmp_path) as settings:
            db = Database(settings.database)
            sealed = await seal_ledger(db)
            async with db.session() as session:
                kept = await chains.get_head(session, sealed.ledger.campaign_id, 2)
            url = databases.with_database(postgres.admin_url(server), f"rebuilt_{worker}")
            with psycopg.connect(url) as connection:
                connection.execute("SET session_replication_role = replica")
                connection.execute(
                    "UPDATE app.coin_transfers SET kind = 'correct' WHERE id = %s", (sealed.transfers[3],)
                )
                (row,) = connection.execute("SELECT campaign_id, key FROM app.coin_chains").fetchall()
                connection.execute("TRUNCATE app.coin_blocks, app.coin_block_transfers, app.coin_chains")
                connection.execute("INSERT INTO app.coin_chains (campaign_id, key) VALUES (%s, %s)", row)
                connection.execute(
                    "UPDATE app.coin_seals SET sealed_xid = '0', sealed_id = '00000000-0000-0000-0000-000000000000'"
                )
            await seal_now(db)
            async with db.session() as session:
                without = await chains.check_chain(session, sealed.ledger.campaign_id)
                checked = await chains.check_chain(
                    session, sealed.ledger.campaign_id, chains.KeptHead(kept.height, kept.hash)
                )
            await db.close()
        assert (without.holds, without.has_kept_head, without.sealed_transfers) == (True, None, 8)
        assert (checked.holds, checked.has_kept_head, checked.findings) == (False, False, [])
