"""The dbt project as assets, its tests as asset checks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets
from psycopg import sql

from orchestration.refresh import exports_dir, state_dir
from orchestration.resources import OWNERS, environment_variables
from pipelines import exports, warehouse
from pipelines.build_lock import BuildLock
from settings import Settings


class Translator(DagsterDbtTranslator):
    """Asset keys are schema and name; each schema is a group; all assets have the same owner."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        """Schema and name, e.g. marts/dim_ideas."""
        return dg.AssetKey([dbt_resource_props["schema"], dbt_resource_props["name"]])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The schema."""
        return str(dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str] | None:  # noqa: ARG002 - dagster-dbt's signature
        """The owner of all models."""
        return OWNERS


def models(manifest: Path) -> dg.AssetsDefinition:
    """All models, seeds and tests of the project whose manifest this is."""

    @dbt_assets(manifest=manifest, name="models", dagster_dbt_translator=Translator())
    def build(
        context: dg.AssetExecutionContext,
        dbt: DbtCliResource,
        settings: dg.ResourceParam[Settings],
        build_lock: dg.ResourceParam[BuildLock],
    ) -> Iterator[Any]:
        build_lock.confirm()
        url = settings.database.role_url("dbt")
        target = state_dir(settings) / "runs" / context.run.run_id
        with environment_variables(warehouse.environment(url)), psycopg.connect(url, autocommit=True) as connection:
            invocation = dbt.cli(warehouse.BUILD, context=context, target_path=target, raise_on_error=False)
            failed = []
            for event in invocation.stream():
                if isinstance(event, dg.Output):
                    rows = _count(connection, context.asset_key_for_output(event.output_name))
                    yield event.with_metadata({**event.metadata, "dagster/row_count": rows})
                    continue
                if isinstance(event, dg.AssetCheckResult) and not event.passed:
                    failed.append(f"the check {event.check_name} failed")
                yield event
            if not invocation.is_successful():
                # the notice that replaces a report lists the checks; dbt's messages are in the run's log
                exports.note_refusal(exports_dir(settings), failed or ["the figures could not be built"])
                raise dg.Failure(str(invocation.get_error() or "dbt failed"), allow_retries=False)

    return build


def _count(connection: psycopg.Connection, key: dg.AssetKey) -> int:
    """Rows of the relation behind an asset."""
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*key.path))).fetchone()
    assert row is not None
    return int(row[0])
