"""Access rules of routes: declared exactly once, shown in OpenAPI, and the same on the fast path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import pytest
from fastapi import APIRouter, Depends
from fastapi.routing import APIRoute

from api import main
from api.auth.dependencies import CurrentUser, Myself, requires
from api.coins import routes as coin_routes
from api.coins.commands.fast_path import FastPath
from api.kernel import rules
from api.kernel.container import KernelContainer
from api.kernel.domains import Domain
from api.kernel.permissions import Permission
from api.kernel.rules import PUBLIC, Rule, RuleError, Scope, Visibility
from api.kernel.web import router as new_router
from api.main import create_app
from cli.generate import openapi, permissions

if TYPE_CHECKING:
    from settings import Settings

ROOT = Path(__file__).parents[2]


class TestRule:
    @pytest.mark.parametrize(
        "parts",
        [
            (Scope.SYSTEM,),
            (Scope.CAMPAIGN, (), Visibility.NOT_FOUND),
            (Scope.CAMPAIGN, (Permission.MOVE_COINS,)),
            (Scope.SELF, (Permission.MOVE_COINS,)),
        ],
    )
    def test_refuses_inconsistent_parts(self, parts: tuple[object, ...]) -> None:
        with pytest.raises(AssertionError):
            Rule(*parts)  # type: ignore[arg-type]


class TestCheckRouters:
    def test_refuses_a_route_that_only_authenticates(self) -> None:
        router = new_router("", "probe")

        @router.get("/probe")
        async def probe(caller: CurrentUser) -> None: ...

        with pytest.raises(RuleError, match=r"probe .* has no access rule"):
            rules.check_routers([router])

    def test_refuses_two_rules(self) -> None:
        router = new_router("", "probe")
        with pytest.raises(RuleError, match="2 access rules"):

            @router.get("/probe", dependencies=[PUBLIC])
            async def probe(caller: Myself) -> None: ...

    def test_accepts_one(self) -> None:
        router = new_router("", "probe")

        @router.get("/probe")
        async def probe(caller: Annotated[object, Depends(requires(Permission.CREATE_CAMPAIGN))]) -> None: ...

        rules.check_routers([router])
        (route,) = router.routes
        assert isinstance(route, APIRoute)
        assert route.openapi_extra is not None
        assert route.openapi_extra["x-permission"] == {"scope": "system", "permissions": ["create_campaign"]}

    def test_is_run_when_the_application_is_created(self, database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        router = APIRouter()
        router.add_api_route("/probe", lambda: None, name="probe")
        probes = Domain[KernelContainer](name="probes", routers=(router,))
        monkeypatch.setattr(main, "select_domains", lambda _: (probes,))
        with pytest.raises(RuleError, match="probe"):
            create_app(database)


class TestOpenAPI:
    def test_every_operation_has_its_rule(self) -> None:
        operations = [operation for path in openapi.document()["paths"].values() for operation in path.values()]
        assert [each["operationId"] for each in operations if rules.EXTENSION not in each] == []

    def test_an_operation_needs_a_log_in_unless_its_scope_is_public(self) -> None:
        for path in openapi.document()["paths"].values():
            for operation in path.values():
                is_public = operation[rules.EXTENSION]["scope"] == "public"
                assert is_public or operation["security"], operation["operationId"]


class TestFastPath:
    def test_has_the_rule_of_its_routes(self) -> None:
        of_routes = [
            rules.find_rule(route.dependant, route.name)
            for route in coin_routes.router.routes
            if isinstance(route, APIRoute) and route.name in {"allocate", "reallocate"}
        ]
        assert len(of_routes) == 2
        assert all(rule is FastPath.rule for rule in of_routes)


class TestDocumentation:
    def test_is_the_committed_one(self) -> None:
        """`make docs` writes it."""
        assert (ROOT / "docs/permissions.md").read_text() == permissions.describe()
