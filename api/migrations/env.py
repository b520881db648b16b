"""Alembic's environment script: one connection and one transaction, with the role that owns the schema.

An upgrade runs it once per version, with the revision in the config attribute `upgrade_to`; a downgrade runs it once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from api.migrations import routines

if TYPE_CHECKING:
    from typing import Any

    from psycopg import Connection

SCHEMA = "app"
LOCK_TIMEOUT_MS = 500


def run_migrations() -> None:
    """Run the versions and apply the routines, with the log-in in the config attribute `url`."""
    upgrade_to: int | None = context.config.attributes["upgrade_to"]
    kept = routines.defined_after(upgrade_to) if upgrade_to is not None else frozenset[str]()
    engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
    with engine.begin() as connection:
        driver = cast("Connection[Any]", connection.connection.driver_connection)
        # others wait for a migration that waits: it gives up soon, and is tried again
        connection.execute(text(f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}"))
        connection.execute(text("SET ROLE ideamint_owner"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        routines.drop_dependents(driver, kept)
        context.configure(
            connection=connection,
            version_table_schema=SCHEMA,
            include_schemas=True,
            transaction_per_migration=False,
        )
        context.run_migrations()
        revision = context.get_context().get_current_revision()
        routines.apply(driver, None if revision is None else int(revision), kept)
        # readiness compares this with what the code needs
        connection.execute(text(f"GRANT SELECT ON {SCHEMA}.alembic_version TO ideamint_app"))


run_migrations()
