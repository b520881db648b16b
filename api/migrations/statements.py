"""Runs SQL files inside a migration, and refuses to drop tables that hold rows."""

from __future__ import annotations

from pathlib import Path

from alembic import op

API_DIR = Path(__file__).parents[1]
VERSIONS_DIR = Path(__file__).parent / "versions"


def run_version(name: str) -> None:
    """Run the SQL file of a version."""
    _run(VERSIONS_DIR / f"{name}.sql")


def run_routines(path: str) -> None:
    """Run a file of routines, by its path below api/, before the others: for a version that calls one of them."""
    _run(API_DIR / path)


def refuse_rows(table: str, reason: str) -> None:
    """Raise an error with `reason` while a table of the schema `app` has rows."""
    op.execute(
        f"DO $$ BEGIN IF EXISTS (SELECT FROM app.{table}) THEN RAISE EXCEPTION 'app.{table} {reason}'; END IF; END $$"
    )


def _run(path: Path) -> None:
    # the driver's own cursor, without arguments: a per cent sign in the SQL is not a placeholder
    op.get_bind().connection.cursor().execute(path.read_text(encoding="utf-8"))
