"""The schema `jobs` of the job queue (procrastinate), from the SQL files of the installed package.

The package contains the SQL files of all its releases. One of our migrations runs the files up to one release, so that
a new database gets the same schema as a database that was migrated step by step. The rule that each function is defined
once does not apply to this schema.
"""

from __future__ import annotations

from pathlib import Path

from alembic import op

SCHEMA = "jobs"

_RIGHTS = """
    REVOKE ALL ON SCHEMA jobs FROM PUBLIC;
    REVOKE ALL ON ALL TABLES IN SCHEMA jobs FROM PUBLIC;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA jobs FROM PUBLIC;
    REVOKE ALL ON ALL FUNCTIONS IN SCHEMA jobs FROM PUBLIC;
    GRANT USAGE ON SCHEMA jobs TO ideamint_app;
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO ideamint_app;
    GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO ideamint_app;
    GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO ideamint_app;
"""


def files(*, after: str = "", until: str) -> list[Path]:
    """The package's SQL files of the releases after `after` and up to `until`, such as `03.10.00`, in order."""
    from procrastinate.schema import migrations_path

    return sorted(path for path in migrations_path.glob("*.sql") if after < _release(path) <= until)


def upgrade(*, after: str = "", until: str) -> None:
    """Migrate the schema from one release of the package to another; without `after`, create it."""
    if not after:
        op.execute(f"CREATE SCHEMA {SCHEMA}")
    cursor = op.get_bind().connection.cursor()
    # names in the files have no schema
    op.execute(f"SET LOCAL search_path = {SCHEMA}")
    for path in files(after=after, until=until):
        cursor.execute(path.read_text(encoding="utf-8"))
    op.execute("RESET search_path")
    cursor.execute(_RIGHTS)


def drop() -> None:
    """Drop the schema, unless it contains waiting jobs, which cannot be restored."""
    op.execute(
        f"DO $$ BEGIN IF EXISTS (SELECT FROM {SCHEMA}.procrastinate_jobs WHERE status IN ('todo', 'doing')) THEN "
        "RAISE EXCEPTION 'procrastinate_jobs holds jobs that have not ended; not dropped'; END IF; END $$"
    )
    op.execute(f"DROP SCHEMA {SCHEMA} CASCADE")


def _release(path: Path) -> str:
    return path.name.partition("_")[0]
