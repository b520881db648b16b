"""Connections to a published snapshot, restricted to a scope."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Final

import duckdb

from pipelines.marts.records import Snapshot
from pipelines.marts.scopes import Scope
from pipelines.marts.snapshots import NoSnapshot, published

_ATTEMPTS: Final = 3
_BY_CAMPAIGN: Final = (
    "dim_campaigns",
    "dim_ideas",
    "fct_participation_by_group",
    "fct_coin_conservation",
    "fct_campaign_engagement_daily",
    "fct_idea_roi",
)
_ACROSS_CAMPAIGNS: Final = ("fct_member_cohorts",)


def attach(source: Path | Snapshot) -> tuple[duckdb.DuckDBPyConnection, Snapshot]:
    """A new in-memory connection with the snapshot attached. The snapshot stays readable if its file is removed.

    Raises:
        NoSnapshot: nothing is published, or it cannot be opened.
    """
    failure: duckdb.Error | None = None
    for _ in range(_ATTEMPTS):  # the snapshot may be removed between reading `current` and opening it
        snapshot = source if isinstance(source, Snapshot) else published(source)
        connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "threads": "2"})
        try:
            connection.execute("SET TimeZone = 'UTC'")
            path = str(snapshot.database).replace("'", "''")
            connection.execute(f"ATTACH '{path}' AS snapshot (READ_ONLY)")
        except duckdb.Error as error:
            failure = error
            with suppress(duckdb.Error):
                connection.close()
            continue
        return connection, snapshot
    msg = f"the marts of snapshot {snapshot.id} cannot be opened ({failure})"
    raise NoSnapshot(msg) from failure


def restrict(connection: duckdb.DuckDBPyConnection, scope: Scope) -> None:
    """Create views that contain only the scope's rows, so that no query needs a filter."""
    connection.execute("CREATE TABLE allowed (campaign_id text PRIMARY KEY)")
    if scope.campaign_ids is not None:
        connection.execute(
            "INSERT INTO allowed SELECT DISTINCT unnest($ids::text[])", {"ids": sorted(scope.campaign_ids)}
        )
    every = "true" if scope.sees_all else "false"
    for table in _BY_CAMPAIGN:
        connection.execute(
            f"CREATE VIEW {table} AS FROM snapshot.main.{table} WHERE {every} OR campaign_id IN (FROM allowed)"
        )
    connection.execute(
        f"CREATE VIEW fct_figures AS FROM snapshot.main.fct_figures "
        f"WHERE {every} OR (scope_kind = 'campaign' AND scope_id IN (FROM allowed))"
    )
    for table in _ACROSS_CAMPAIGNS:
        connection.execute(f"CREATE VIEW {table} AS FROM snapshot.main.{table} WHERE {every}")
    connection.execute("CREATE VIEW dim_figures AS FROM snapshot.main.dim_figures")
