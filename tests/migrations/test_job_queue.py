"""The schema of the job queue: that of the installed package, with our rights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from procrastinate.schema import SchemaManager
from sqlalchemy.exc import DBAPIError

from api.migrations import job_queue
from cli.local import databases

if TYPE_CHECKING:
    import psycopg

# the newest release whose files a version runs; a newer package with further files needs a further version
NEWEST_RELEASE = "03.10.00"
PARTS = """
    SELECT 'column', c.relname || '.' || a.attname,
        format_type(a.atttypid, a.atttypmod) || a.attnotnull || coalesce(pg_get_expr(d.adbin, d.adrelid), '')
    FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = %(schema)s::text::regnamespace AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT 'constraint', conname, pg_get_constraintdef(oid)
    FROM pg_constraint WHERE connamespace = %(schema)s::text::regnamespace
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes WHERE schemaname = %(schema)s::text
    UNION ALL
    SELECT 'function', proname, pg_get_function_arguments(oid) || ' -> ' || pg_get_function_result(oid)
    FROM pg_proc WHERE pronamespace = %(schema)s::text::regnamespace
    UNION ALL
    SELECT 'trigger', tgname, pg_get_triggerdef(t.oid) FROM pg_trigger AS t JOIN pg_class AS c ON c.oid = t.tgrelid
    WHERE c.relnamespace = %(schema)s::text::regnamespace AND NOT t.tgisinternal
    UNION ALL
    SELECT 'value', t.typname, e.enumlabel FROM pg_enum AS e JOIN pg_type AS t ON t.oid = e.enumtypid
    WHERE t.typnamespace = %(schema)s::text::regnamespace
"""
OWN = {"ck_procrastinate_jobs_args_are_ids"}


def parts(connection: psycopg.Connection, schema: str) -> set[tuple[Any, ...]]:
    connection.execute(f"SET search_path = {schema}".encode())  # names in this schema are shown without it
    rows = connection.execute(PARTS, {"schema": schema}).fetchall()
    return {(kind, name, text.replace(f" {schema}.", " ")) for kind, name, text in rows if name not in OWN}


class TestSchema:
    def test_is_that_of_the_installed_package(self, connection: psycopg.Connection) -> None:
        connection.execute("CREATE SCHEMA packaged")
        connection.execute("SET search_path = packaged")
        connection.execute(SchemaManager.get_schema())
        assert parts(connection, "jobs") == parts(connection, "packaged")

    def test_needs_no_further_version(self) -> None:
        """A newer package may bring files of a newer release."""
        assert [path.name for path in job_queue.files(after=NEWEST_RELEASE, until="99")] == []

    def test_a_release_runs_the_files_after_the_one_before(self) -> None:
        every = job_queue.files(until="99")
        later = job_queue.files(after="02.14.01", until="03.01.00")
        assert every == sorted(every)
        assert [path.name[:8] for path in later] == ["03.00.00"] * 2 + ["03.01.00"] * 2


class TestRights:
    def test_are_those_of_the_application_alone(self, connection: psycopg.Connection) -> None:
        rows = connection.execute(
            "SELECT DISTINCT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_get_userbyid(g.grantee) END FROM ("
            "SELECT nspacl AS acl, nspowner AS owner FROM pg_namespace WHERE nspname = 'jobs' UNION ALL "
            "SELECT relacl, relowner FROM pg_class WHERE relnamespace = 'jobs'::regnamespace UNION ALL "
            "SELECT coalesce(proacl, acldefault('f', proowner)), proowner FROM pg_proc "
            "WHERE pronamespace = 'jobs'::regnamespace) AS o CROSS JOIN aclexplode(o.acl) AS g"
        ).fetchall()
        assert {role for (role,) in rows} == {"ideamint_owner", "ideamint_app"}


class TestDown:
    def test_a_downgrade_drops_the_schema_and_an_upgrade_restores_it(
        self, url: str, connection: psycopg.Connection
    ) -> None:
        before = parts(connection, "jobs")
        connection.execute("SET search_path = public")
        databases.downgrade(url, "1007")
        assert connection.execute("SELECT FROM pg_namespace WHERE nspname = 'jobs'").fetchall() == []
        databases.migrate(url)
        assert parts(connection, "jobs") == before

    def test_is_refused_while_a_job_waits(self, url: str, connection: psycopg.Connection) -> None:
        connection.execute("SET search_path = jobs")
        connection.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 't')")
        with pytest.raises(DBAPIError, match="procrastinate_jobs holds jobs"):
            databases.downgrade(url, "1007")
        assert connection.execute("SELECT count(*) FROM procrastinate_jobs").fetchone() == (1,)


class TestReset:
    def test_drops_the_jobs_too(self, url: str, connection: psycopg.Connection) -> None:
        connection.execute("SET search_path = jobs")
        connection.execute("INSERT INTO procrastinate_jobs (queue_name, task_name) VALUES ('q', 't')")
        databases.reset(url)
        assert connection.execute("SELECT count(*) FROM jobs.procrastinate_jobs").fetchone() == (0,)
