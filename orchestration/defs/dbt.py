"""The dbt project as assets, its tests as asset checks."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, dbt_assets
from psycopg import sql

from orchestration.refresh import refuse, state_dir
from orchestration.resources import OWNERS, environment_variables
from pipelines import warehouse
from pipelines.builds import BuildLock
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
        url = settings.database.role_url("dbt")
        target = state_dir(settings) / "runs" / context.run.run_id
        with (
            build_lock.begin(is_partial=context.is_subset) as current,
            environment_variables(warehouse.environment(url, current.build_id)),
            psycopg.connect(url, autocommit=True) as connection,
        ):
            invocation = dbt.cli(warehouse.BUILD, context=context, target_path=target, raise_on_error=False)
            failed: list[str] = []
            for event in invocation.stream():
                if isinstance(event, dg.Output):
                    rows = _count(connection, context.asset_key_for_output(event.output_name))
                    yield event.with_metadata({**event.metadata, "dagster/row_count": rows})
                    continue
                if isinstance(event, dg.AssetCheckResult) and not event.passed:
                    failed.append(str(event.check_name))
                yield event
            if not invocation.is_successful():
                failures = [f"the check {name} failed" for name in failed] + warehouse.failed_models(target)
                code = invocation.process.wait()
                if code < 0 or not failures:
                    failures.append(warehouse.describe_exit(code))
                broke = any(warehouse.CONSERVATION_TEST in name for name in failed)
                reasons = refuse(settings, failures, conservation_broke=broke)
                raise dg.Failure("\n".join(reasons), allow_retries=False)

    return build


def _count(connection: psycopg.Connection, key: dg.AssetKey) -> int:
    """Rows of the relation behind an asset."""
    row = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*key.path))).fetchone()
    assert row is not None
    return int(row[0])
