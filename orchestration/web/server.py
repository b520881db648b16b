"""Serve Dagster's page: `python -m orchestration.web.server --host HOST --port PORT --workspace FILE`.

The application without the guard listens nowhere.
"""

from __future__ import annotations

import argparse
import contextlib
import warnings
from collections.abc import AsyncIterator

import uvicorn
from starlette.applications import Starlette

import settings as configuration
from api.kernel.http_limits import HttpLimits, limited
from settings import Settings

_STATEMENT_TIMEOUT_MS = 15_000
_POOL_RECYCLE_S = 3600
_POOL_OVERFLOW_MAX = 20


def main() -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workspace", required=True, help="Dagster's workspace.yaml")
    arguments = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Dagster's packages warn of at import
        serve(configuration.load(), arguments.host, arguments.port, arguments.workspace)


def serve(settings: Settings, host: str, port: int, workspace_file: str) -> None:
    """Serve Dagster's page of this installation."""
    from dagster import DagsterInstance
    from dagster._core.workspace.load_target import WorkspaceFileTarget
    from dagster_webserver.version import __version__

    from orchestration.web.application import GuardedWebserver, Workspace
    from orchestration.web.guard import Guard
    from orchestration.web.records import CommandRecords
    from orchestration.web.viewers import Viewers

    viewers = Viewers(settings.addresses.internal_api_url)
    records = CommandRecords(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await viewers.close()
            await records.close()

    with DagsterInstance.get() as instance:
        instance.optimize_for_webserver(_STATEMENT_TIMEOUT_MS, _POOL_RECYCLE_S, _POOL_OVERFLOW_MAX)
        target = WorkspaceFileTarget([workspace_file])
        with Workspace(instance, workspace_load_target=target, version=__version__) as workspace:
            app = GuardedWebserver(workspace, records.add).create_asgi_app(lifespan=lifespan)
            guard = Guard(
                app,
                viewers,
                public_url=settings.addresses.public_dagster_url,
                log_in_url=f"{settings.addresses.public_api_url.rstrip('/')}/login",
            )
            uvicorn.run(
                guard, host=host, port=port, http=limited(HttpLimits(connections=settings.limits.connections_max)),
                log_level="warning", proxy_headers=False, server_header=False, date_header=False,
            )  # fmt: skip


if __name__ == "__main__":
    main()
