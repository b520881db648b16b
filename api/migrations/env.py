"""Alembic's entry: one connection, one transaction, as the role that owns the schema."""

from __future__ import annotations

from alembic import context
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool

from api.models import Model

SCHEMA = "app"


def run_migrations() -> None:
    """Migrate with the log-in in the config attribute `url`, which must be a member of ideamint_owner."""
    engine = create_engine(context.config.attributes["url"], poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("SET ROLE ideamint_owner"))
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}"))
        context.configure(
            connection=connection,
            target_metadata=Model.metadata,
            version_table_schema=SCHEMA,
            include_schemas=True,
            transaction_per_migration=False,
        )
        context.run_migrations()
        # a server that is asked whether it is ready compares this with what it needs
        connection.execute(text(f"GRANT SELECT ON {SCHEMA}.alembic_version TO ideamint_app"))


run_migrations()
