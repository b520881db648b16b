"""Dagster's web application with the rights of each person, and a record of each command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from dagster._core.workspace.context import WorkspaceProcessContext, WorkspaceRequestContext
from dagster_webserver.webserver import DagsterWebserver
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse
from starlette.routing import BaseRoute, Route

from api.kernel.permissions import Permission
from orchestration.web.commands import Commands, read_commands
from orchestration.web.guard import SCOPE_KEY
from orchestration.web.viewers import Viewer

Record = Callable[[Viewer, Commands], Awaitable[None]]

# Programs report assets with them, without a person; notebooks are not used here.
_CLOSED = ("/report_asset", "/notebook", "/dagit")


class Workspace(WorkspaceProcessContext):
    """Gives each request a context with the rights of its person; without a person it is for reading only."""

    def create_request_context(self, source: object | None = None) -> WorkspaceRequestContext:
        """The context of a request, whose connection is `source`; Dagster's own calls have none."""
        viewer = source.scope.get(SCOPE_KEY) if isinstance(source, HTTPConnection) else None
        return WorkspaceRequestContext(
            instance=self.instance,
            current_workspace=self.get_current_workspace(),
            process_context=self,
            version=self.version,
            source=source,
            read_only=not (isinstance(viewer, Viewer) and viewer.may(Permission.COMMAND_DATA_PLATFORM)),
        )


class GuardedWebserver(DagsterWebserver[Workspace, WorkspaceRequestContext]):
    """Dagster's web application; runs behind :class:`orchestration.web.guard.Guard`.

    `record` is awaited with the commands of a request before they are carried out. If it fails, they are not.
    """

    def __init__(self, process_context: Workspace, record: Record) -> None:
        self._record = record
        super().__init__(process_context)

    def build_routes(self) -> list[BaseRoute]:
        """Dagster's routes without the closed ones."""
        return [
            route
            for route in super().build_routes()  # type: ignore[no-untyped-call] # it has no types
            if not (isinstance(route, Route) and route.path.startswith(_CLOSED))
        ]

    async def execute_graphql_request(
        self, request: Request, query: str, variables: dict[str, Any] | None, operation_name: str | None
    ) -> JSONResponse:
        """Execute a request, after the check and the record of its commands."""
        commands = read_commands(query, variables)
        if commands.is_mutation:
            viewer: Viewer = request.scope[SCOPE_KEY]
            if not viewer.may(Permission.COMMAND_DATA_PLATFORM):
                message = "only administrators and data engineers may change something here"
                return JSONResponse({"data": None, "errors": [{"message": message}]}, HTTPStatus.FORBIDDEN)
            if commands.names:
                await self._record(viewer, commands)
        return await super().execute_graphql_request(request, query, variables, operation_name)
