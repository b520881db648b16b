"""Routines: the definitions in the files, and the effect of a change in them."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from api.migrations import routines
from cli.local import databases
from tests.migrations.test_revisions import HOT_TABLES, catalogue, with_lock_timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    Change = Callable[[str, str, str], None]

API = Path(routines.__file__).parents[1]
LIST = Path(__file__).parent / "functions.txt"
FUNCTIONS = """
    SELECT p.oid::regprocedure::text, pg_get_userbyid(p.proowner),
        CASE WHEN p.prosecdef THEN 'SECURITY DEFINER' ELSE 'SECURITY INVOKER' END,
        coalesce(
            (SELECT s FROM unnest(p.proconfig) AS s WHERE s LIKE 'search_path=%'),
            CASE WHEN p.prosqlbody IS NOT NULL THEN 'names resolved at creation' ELSE 'NO FIXED SEARCH PATH' END),
        coalesce((
            SELECT string_agg(DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END, ', ')
            FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS g WHERE g.grantee <> p.proowner
        ), 'no role')
    FROM pg_proc AS p WHERE p.pronamespace = 'app'::regnamespace
    ORDER BY 1
"""


@pytest.fixture
def change(monkeypatch: pytest.MonkeyPatch) -> Change:
    """Replaces a text in a file of routines, for the runs of this test."""
    read, changed = routines._read, dict[str, str]()

    def put(path: str, old: str, new: str) -> None:
        text = changed.get(path, read(path))
        assert old in text
        changed[path] = text.replace(old, new)

    monkeypatch.setattr(routines, "_read", lambda path: changed[path] if path in changed else read(path))
    return put


def function(connection: psycopg.Connection, name: str) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT prorettype::regtype::text, proacl::text FROM pg_proc WHERE proname = %s", (name,)
    ).fetchall()


def trigger_oids(connection: psycopg.Connection) -> dict[str, int]:
    return dict(
        connection.execute("SELECT tgname, oid FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0").fetchall()
    )


class TestFiles:
    def test_are_all_declared(self) -> None:
        found = {path.relative_to(API).as_posix() for path in API.glob("*/sql/*.sql")}
        assert found == {path for _, path in routines.FILES}

    def test_define_each_function_and_trigger_once(self) -> None:
        texts = [path.read_text() for path in [*API.glob("*/sql/*.sql"), *API.glob("migrations/versions/*.sql")]]
        created = re.compile(r"CREATE (?:OR REPLACE )?(?:CONSTRAINT )?(FUNCTION|VIEW|TRIGGER) (?:app\.)?(\w+)")
        names = Counter(found for text in texts for found in created.findall(text))
        del names["FUNCTION", "uuid7"]  # one for each kind of server
        assert names["FUNCTION", "coins_move"] == names["TRIGGER", "events_append_only"] == 1
        assert {name for name, times in names.items() if times > 1} == set()

    def test_versions_define_only_functions_that_tables_need(self, connection: psycopg.Connection) -> None:
        needed = connection.execute(
            "SELECT DISTINCT p.proname FROM pg_depend AS d JOIN pg_proc AS p ON p.oid = d.refobjid "
            "WHERE d.refclassid = 'pg_proc'::regclass AND p.pronamespace = 'app'::regnamespace "
            "AND d.classid IN ('pg_attrdef'::regclass, 'pg_constraint'::regclass, 'pg_class'::regclass)"
        ).fetchall()
        assert {name for (name,) in needed} == set(routines.VERSIONED)


class TestFunctions:
    def test_have_the_listed_owner_security_search_path_and_rights(self, connection: psycopg.Connection) -> None:
        """UPDATE_SNAPSHOTS=1 updates the list."""
        lines = [" | ".join(row) for row in connection.execute(FUNCTIONS).fetchall()]
        if os.environ.get("UPDATE_SNAPSHOTS"):
            LIST.write_text("\n".join(lines) + "\n")
        assert lines == LIST.read_text().splitlines()

    def test_have_a_fixed_search_path_and_no_public_execute(self, connection: psycopg.Connection) -> None:
        rows = connection.execute(FUNCTIONS).fetchall()
        assert [row[0] for row in rows if row[3] == "NO FIXED SEARCH PATH" or "PUBLIC" in row[4]] == []


class TestApply:
    def test_a_changed_function_does_not_wait_for_writers(
        self, url: str, connection: psycopg.Connection, change: Change
    ) -> None:
        change("coins/sql/moves.sql", "'not_a_member'", "'no_member'")
        triggers = trigger_oids(connection)
        with connection.transaction():
            connection.execute(f"LOCK TABLE {HOT_TABLES} IN ROW EXCLUSIVE MODE".encode())
            databases.migrate(with_lock_timeout(url))
        found = connection.execute("SELECT prosrc FROM pg_proc WHERE proname = 'coins_move'").fetchone()
        assert found is not None
        assert "'no_member'" in found[0]
        assert not databases.is_behind(url)
        assert trigger_oids(connection) == triggers

    def test_a_changed_result_replaces_the_function(
        self, url: str, connection: psycopg.Connection, change: Change
    ) -> None:
        (before,) = function(connection, "coins_version_at")
        change("coins/sql/balances.sql", ") RETURNS integer", ") RETURNS bigint")
        databases.migrate(url)
        assert function(connection, "coins_version_at") == [("bigint", before[1])]

    def test_a_changed_signature_leaves_no_second_function(
        self, url: str, connection: psycopg.Connection, change: Change
    ) -> None:
        change("coins/sql/wallets.sql", "p_user_id uuid)", "p_user_id uuid, p_reason text)")
        change(
            "coins/sql/wallets.sql", "app.coins_freeze_wallet(uuid, uuid)", "app.coins_freeze_wallet(uuid, uuid, text)"
        )
        databases.migrate(url)
        assert len(function(connection, "coins_freeze_wallet")) == 1

    def test_what_no_file_defines_is_dropped(
        self, url: str, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        newest = catalogue(connection)
        kept = tuple(
            file for file in routines.FILES if file[1] not in {"coins/sql/verification.sql", "ideas/sql/triggers.sql"}
        )
        with monkeypatch.context() as patched:
            patched.setattr(routines, "FILES", kept)
            databases.migrate(url)
        assert function(connection, "coins_verify") == []
        assert "idea_valuations_append_only" not in trigger_oids(connection)
        databases.migrate(url)
        assert catalogue(connection) == newest

    def test_rights_are_those_of_the_file(self, url: str, connection: psycopg.Connection, change: Change) -> None:
        connection.execute("GRANT EXECUTE ON FUNCTION app.coins_post TO ideamint_app, PUBLIC")
        change("coins/sql/postings.sql", "-- Runs for", "-- Runs once for")
        databases.migrate(url)
        ((_, rights),) = function(connection, "coins_post")
        assert rights == "{ideamint_owner=X/ideamint_owner}"

    def test_only_a_changed_trigger_is_created_again(
        self, url: str, connection: psycopg.Connection, change: Change
    ) -> None:
        before = trigger_oids(connection)
        change(
            "coins/sql/triggers.sql",
            "coin_keys_append_only BEFORE UPDATE OR DELETE",
            "coin_keys_append_only BEFORE DELETE",
        )
        connection.execute("DROP TRIGGER coin_postings_append_only ON app.coin_postings")
        databases.migrate(url)
        after = trigger_oids(connection)
        assert {name for name, oid in after.items() if before[name] != oid} == {
            "coin_keys_append_only",
            "coin_postings_append_only",
        }
        assert after.keys() == before.keys()

    def test_a_failing_file_changes_nothing(self, url: str, connection: psycopg.Connection, change: Change) -> None:
        before = catalogue(connection)
        change("coins/sql/moves.sql", "'not_a_member'", "'no_member'")
        change("coins/sql/verification.sql", "FROM coin_accounts AS a", "FROM coin_nothing AS a")
        with pytest.raises(psycopg.errors.UndefinedTable, match="coin_nothing"):
            databases.migrate(url)
        assert catalogue(connection) == before
