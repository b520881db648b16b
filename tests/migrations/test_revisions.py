"""Upgrades and downgrades of empty databases and of one with movements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from alembic.script import ScriptDirectory
from sqlalchemy.exc import DBAPIError

from api.kernel.schema import FIRST_REVISION
from api.migrations import revisions, routines, statements
from cli.local import databases
from settings import SettingsError
from tests.factories.ledgers import Ledger, conservation

if TYPE_CHECKING:
    from api.kernel.db import Database

HOT_TABLES = "app.coin_accounts, app.coin_transfers, app.coin_postings, app.coin_keys, app.coin_targets, app.events"
# everything that a migration creates: tables, columns, constraints, indexes, functions, triggers, views, rights
CATALOGUE = """
    SELECT 'relation', c.relname || ' ' || c.relkind::text, coalesce(c.relacl::text, '') || coalesce(c.reloptions::text, '')
    FROM pg_class AS c WHERE c.relnamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'column', a.attrelid::regclass || '.' || a.attname,
        format_type(a.atttypid, a.atttypmod) || a.attnotnull || coalesce(a.attacl::text, '')
        || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'app'::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint', conrelid::regclass || '.' || conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = 'app'
    UNION ALL
    SELECT 'function', oid::regprocedure::text, pg_get_functiondef(oid) || coalesce(proacl::text, '')
    FROM pg_proc WHERE pronamespace = 'app'::regnamespace
    UNION ALL
    SELECT 'trigger', t.tgname, pg_get_triggerdef(t.oid) || t.tgenabled::text
    FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE c.relnamespace = 'app'::regnamespace AND NOT t.tgisinternal
    UNION ALL
    SELECT 'view', viewname, definition FROM pg_views WHERE schemaname = 'app'
    UNION ALL
    SELECT 'hash', name, hash FROM app.schema_routines
"""

OUTSIDE_DATES = (
    "UPDATE app.campaigns SET starts_at = '1899-12-31T23:59:59Z'",
    "UPDATE app.campaigns SET ends_at = '2201-01-01T00:00:00Z'",
    "UPDATE app.coin_ledgers SET closes_at = '0202-01-01T00:00:00Z'",
    """
    INSERT INTO app.coin_policies (campaign_id, version, coins_per_member, allocate_until)
    SELECT campaign_id, 9, 1, '2201-01-01T00:00:00Z' FROM app.coin_ledgers
    """,
    """
    INSERT INTO app.idea_valuations (id, idea_id, kind, amount, currency, valued_on, source)
    SELECT gen_random_uuid(), gen_random_uuid(), 'expected_cost', 1, 'EUR', '0202-01-01', 'books'
    """,
)


def catalogue(connection: psycopg.Connection) -> set[tuple[Any, ...]]:
    return set(connection.execute(CATALOGUE).fetchall())


def with_lock_timeout(url: str) -> str:
    return f"{url}?options=-c%20lock_timeout%3D1000"


class TestRevisions:
    def test_are_a_sequence_of_increasing_numbers(self) -> None:
        """Readiness compares them as numbers."""
        config = revisions._config()
        numbers = [int(script.revision) for script in ScriptDirectory.from_config(config).walk_revisions()]
        assert numbers == sorted(numbers, reverse=True)
        assert numbers[-1] == FIRST_REVISION
        assert len(ScriptDirectory.from_config(config).get_heads()) == 1


class TestUpAndDown:
    def test_a_downgrade_to_base_is_complete_and_reversible(self, url: str, connection: psycopg.Connection) -> None:
        newest = catalogue(connection)
        databases.downgrade(url, "base")
        left = "SELECT relname FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind IN ('r', 'p', 'v')"
        assert connection.execute(left).fetchall() == [("alembic_version",)]
        assert connection.execute("SELECT FROM pg_proc WHERE pronamespace = 'app'::regnamespace").fetchall() == []
        databases.migrate(url)
        assert catalogue(connection) == newest

    def test_each_step_keeps_the_routines_that_the_tables_can_have(
        self, url: str, connection: psycopg.Connection
    ) -> None:
        """Down through some revisions, and up again through the same states."""
        newest, passed = catalogue(connection), {}
        for revision in (1008, 1005, 1003, 1002, 1001):
            databases.downgrade(url, str(revision))
            hashes = connection.execute("SELECT name, hash FROM app.schema_routines").fetchall()
            assert dict(hashes) == routines.hashes(revision)
            found = connection.execute("SELECT proname FROM pg_proc WHERE proname = 'coins_settle_next'").fetchall()
            assert found == ([("coins_settle_next",)] if revision >= 1004 else [])
            passed[revision] = catalogue(connection)
        at = 1001
        for revision in (1002, 1003, 1005, 1008):
            revisions.upgrade(url, at, str(revision))
            assert catalogue(connection) == passed[revision]
            at = revision
        databases.migrate(url)
        assert catalogue(connection) == newest

    async def test_keeps_the_ledger_of_a_filled_database(
        self, url: str, connection: psycopg.Connection, db: Database, ledger: Ledger
    ) -> None:
        newest, found = catalogue(connection), await conservation(db, ledger)
        databases.downgrade(url, "1004")
        assert await conservation(db, ledger) == found
        databases.migrate(url)
        assert catalogue(connection) == newest
        assert await conservation(db, ledger) == found

    @pytest.mark.usefixtures("ledger")
    @pytest.mark.parametrize(
        ("target", "reason"), [("1003", "coin_blocks holds sealed transfers"), ("base", "coin_blocks holds")]
    )
    def test_is_refused_as_a_whole_while_a_ledger_holds_movements(
        self, url: str, connection: psycopg.Connection, target: str, reason: str
    ) -> None:
        before = catalogue(connection)
        with pytest.raises(DBAPIError, match=reason):
            databases.downgrade(url, target)
        assert catalogue(connection) == before

    @pytest.mark.parametrize(
        ("statement", "target", "reason"),
        [
            ("INSERT INTO app.events (kind) VALUES ('coins_granted')", "1001", "events holds rows"),
            ("INSERT INTO app.users (display_name) VALUES ('Ada')", "1002", "users holds accounts"),
            ("INSERT INTO app.events (kind) VALUES ('comment_written')", "1022", "earlier release does not know"),
            ("INSERT INTO app.campaigns (slug, title) VALUES ('abc', 'Abc')", "1004", "campaigns holds campaigns"),
            (
                "INSERT INTO app.campaigns (slug, title, anonymous_ideas) VALUES ('abc', 'Abc', true)",
                "1030",
                "would disclose",
            ),
            ("INSERT INTO app.events (kind) VALUES ('idea_marked_material')", "1029", "earlier release does not know"),
            (
                "INSERT INTO app.campaigns (slug, title, goal) VALUES ('abc', 'Abc', 'Less')",
                "1022",
                "campaigns holds kinds, goals",
            ),
            (
                """
                WITH c AS (INSERT INTO app.campaigns (slug, title) VALUES ('abc', 'Abc') RETURNING id)
                INSERT INTO app.member_attributes (campaign_id, key, label) SELECT id, 'site', 'Site' FROM c
                """,
                "1030",
                "attributes that campaigns have defined",
            ),
            (
                """
                WITH c AS (INSERT INTO app.campaigns (slug, title) VALUES ('abc', 'Abc') RETURNING id),
                u AS (INSERT INTO app.users (email, display_name) VALUES ('a@example.org', 'Ann') RETURNING id)
                INSERT INTO app.join_requests (campaign_id, user_id, status, decided_at)
                SELECT c.id, u.id, 'withdrawn', now() FROM c, u
                """,
                "1030",
                "join_requests holds requests",
            ),
            (
                """
                WITH c AS (INSERT INTO app.campaigns (slug, title) VALUES ('abc', 'Abc') RETURNING id)
                INSERT INTO app.campaign_tags (campaign_id, level, name) SELECT id, 1, 'Roads' FROM c
                """,
                "1022",
                "tags, reasons",
            ),
            (
                """
                WITH c AS (INSERT INTO app.campaigns (slug, title) VALUES ('abc', 'Abc') RETURNING id)
                INSERT INTO app.ideas (campaign_id, title, status) SELECT id, 'Racks', 'draft' FROM c
                """,
                "1022",
                "ideas holds drafts",
            ),
            (
                """
                WITH c AS (INSERT INTO app.campaigns (slug, title) VALUES ('abc', 'Abc') RETURNING id),
                u AS (INSERT INTO app.users (display_name) VALUES ('Ada') RETURNING id)
                INSERT INTO app.idea_views (campaign_id, owner_id, name, query) SELECT c.id, u.id, 'Mine', 'is:mine' FROM c, u
                """,
                "1030",
                "idea_views holds saved views",
            ),
            (
                """
                WITH c AS (INSERT INTO app.campaigns (slug, title) VALUES ('abc', 'Abc') RETURNING id),
                i AS (INSERT INTO app.ideas (campaign_id, title, status) SELECT c.id, 'Racks', 'pending' FROM c
                    RETURNING id, campaign_id)
                INSERT INTO app.idea_merges (campaign_id, target_id, merged_at, reason)
                SELECT i.campaign_id, i.id, now(), 'The same' FROM i
                """,
                "1036",
                "idea_merges holds merges",
            ),
        ],
    )
    def test_is_refused_if_rows_could_not_be_restored(
        self, url: str, connection: psycopg.Connection, statement: str, target: str, reason: str
    ) -> None:
        connection.execute(statement.encode())
        with pytest.raises((DBAPIError, psycopg.Error), match=reason):
            databases.downgrade(url, target)


class TestDateRanges:
    def test_dates_outside_move_to_the_nearest_year_inside(self, url: str, connection: psycopg.Connection) -> None:
        newest = catalogue(connection)
        databases.downgrade(url, "1010")
        connection.execute(
            "INSERT INTO app.campaigns (slug, title, starts_at, submissions_close_at, ends_at) VALUES "
            "('old', 'Old', '0202-05-01', '0202-06-01', '2026-01-01'), ('new', 'New', '2026-01-01', NULL, '9999-01-01'), "
            "('open', 'Open', NULL, NULL, NULL)"
        )
        databases.migrate(url)
        assert catalogue(connection) == newest
        found = connection.execute(
            "SELECT slug, extract(year FROM starts_at AT TIME ZONE 'UTC')::int, "
            "extract(year FROM ends_at AT TIME ZONE 'UTC')::int FROM app.campaigns ORDER BY slug"
        ).fetchall()
        assert found == [("new", 2026, 2200), ("old", 1900, 2026), ("open", None, None)]

    @pytest.mark.usefixtures("ledger")
    def test_others_are_refused_by_the_database(self, connection: psycopg.Connection) -> None:
        connection.execute("INSERT INTO app.campaigns (slug, title) VALUES ('abc', 'Abc')")
        for statement in OUTSIDE_DATES:
            with pytest.raises(psycopg.errors.CheckViolation, match="_years"):
                connection.execute(statement.encode())


class TestUpgrade:
    @pytest.mark.deep
    def test_commits_each_version_with_its_routines(
        self, url: str, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        newest = catalogue(connection)
        databases.downgrade(url, "base")
        run_version = statements.run_version

        def fail_at_the_ideas(name: str) -> None:
            run_version(name)
            if name == "1006_ideas":
                msg = "no space left on device"
                raise OSError(msg)

        with monkeypatch.context() as failing:
            failing.setattr(statements, "run_version", fail_at_the_ideas)
            with pytest.raises(OSError, match="no space"):
                databases.migrate(url)
        assert connection.execute("SELECT version_num FROM app.alembic_version").fetchone() == ("1005",)
        assert dict(connection.execute("SELECT name, hash FROM app.schema_routines").fetchall()) == routines.hashes(
            1005
        )
        assert databases.is_behind(url)
        databases.migrate(url)
        assert catalogue(connection) == newest

    @pytest.mark.deep
    def test_keeps_routines_that_a_later_version_replaces(
        self, url: str, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The previous release calls them until that version is committed."""
        newest = catalogue(connection)
        databases.downgrade(url, "1004")
        earlier = catalogue(connection)
        raised = ("coins/sql/chain_records.sql", "coins/sql/chain_reading.sql", "coins/sql/triggers.sql")
        with monkeypatch.context() as later:
            files = tuple((1006 if path in raised else since, path) for since, path in routines.FILES)
            later.setattr(routines, "FILES", files)
            revisions.upgrade(url, 1004, "1005")
            assert connection.execute("SELECT version_num FROM app.alembic_version").fetchone() == ("1005",)
            kinds = {"function", "trigger", "view", "hash"}
            assert {row for row in earlier if row[0] in kinds} <= catalogue(connection)
        databases.migrate(url)
        assert catalogue(connection) == newest


class TestMigrate:
    def test_without_changes_takes_no_lock_on_a_table(self, url: str, connection: psycopg.Connection) -> None:
        with connection.transaction():
            connection.execute(f"LOCK TABLE {HOT_TABLES} IN ACCESS EXCLUSIVE MODE".encode())
            assert databases.migrate(with_lock_timeout(url)) == revisions.needed().revision

    def test_refuses_a_database_from_before_the_squash(self, url: str, connection: psycopg.Connection) -> None:
        connection.execute("UPDATE app.alembic_version SET version_num = '0009'")
        for call in (databases.migrate, databases.refuse_unmigrated):
            with pytest.raises(SettingsError, match=r"revision 0009, .*pg_dump .*`ideamint db reset --yes`"):
                call(url)
        connection.execute("UPDATE app.alembic_version SET version_num = '1009'")

    def test_names_an_unreachable_address_without_its_log_in(self) -> None:
        with pytest.raises(
            SettingsError, match=r"IDEAMINT_DATABASE_URL: cannot connect to postgresql://127\.0\.0\.1:1/mint"
        ):
            databases.refuse_unmigrated("postgresql://app:secret@127.0.0.1:1/mint")

    def test_does_not_change_a_later_database(self, url: str, connection: psycopg.Connection) -> None:
        connection.execute("UPDATE app.alembic_version SET version_num = '9999'")
        connection.execute("UPDATE app.schema_routines SET hash = 'of a later version'")
        before = catalogue(connection)
        assert not databases.is_behind(url)
        assert databases.migrate(url) == 9999
        databases.refuse_unmigrated(url)
        assert catalogue(connection) == before


class TestReset:
    @pytest.mark.usefixtures("ledger")
    @pytest.mark.deep
    def test_empties_a_database_of_any_revision(self, url: str, connection: psycopg.Connection) -> None:
        newest = catalogue(connection)
        connection.execute("UPDATE app.alembic_version SET version_num = '0009'")
        assert databases.reset(url) == revisions.needed().revision
        assert catalogue(connection) == newest
        assert connection.execute("SELECT count(*) FROM app.coin_transfers").fetchone() == (0,)
