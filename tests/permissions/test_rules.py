"""Access rules of routes: declared exactly once, shown in OpenAPI, and the same on the fast path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from api.kernel.scopes import SCOPES
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


class TestNeededScopes:
    @pytest.mark.parametrize(
        ("rule", "of_reads", "of_writes"),
        [
            (Rule(Scope.PUBLIC), (), ()),
            (Rule(Scope.SELF), ({"own:read"},), (set(),)),
            (Rule(Scope.SELF, token_scopes=("view_report",)), ({"view_report"},), ({"view_report"},)),
            (Rule(Scope.SYSTEM, (Permission.MANAGE_USERS,)), ({"manage_users"},), ({"manage_users"},)),
            (Rule(Scope.SYSTEM, (Permission.MANAGE_USERS,), token_scopes=()), (set(),), (set(),)),
            # no token has this permission
            (Rule(Scope.SYSTEM, (Permission.VIEW_DATA_PLATFORM,)), (set(),), (set(),)),
            (Rule(Scope.CAMPAIGN, (Permission.MOVE_COINS,), Visibility.ALIKE), ({"coins:stake"},), ({"coins:stake"},)),
            (
                Rule(Scope.CAMPAIGN, (Permission.WITHDRAW_IDEA, Permission.MANAGE_IDEAS), Visibility.NOT_FOUND),
                ({"withdraw_idea", "manage_ideas"}, {"view_campaign"}),
                ({"withdraw_idea", "manage_ideas"}, {"view_campaign"}),
            ),
        ],
    )
    def test_follow_from_the_rule(
        self, rule: Rule, of_reads: tuple[set[str], ...], of_writes: tuple[set[str], ...]
    ) -> None:
        assert rule.needed_scopes(is_write=False) == of_reads
        assert rule.needed_scopes(is_write=True) == of_writes


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
        rule = {"scope": "system", "permissions": ["create_campaign"], "token_scopes": [["create_campaign"]]}
        assert route.openapi_extra is not None
        assert route.openapi_extra["x-permission"] == rule

    def test_is_run_when_the_application_is_created(self, database: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        router = APIRouter()
        router.add_api_route("/probe", lambda: None, name="probe")
        probes = Domain[KernelContainer](name="probes", routers=(router,))
        monkeypatch.setattr(main, "select_domains", lambda _: (probes,))
        with pytest.raises(RuleError, match="probe"):
            create_app(database)


@pytest.fixture(scope="module")
def operations() -> list[dict[str, Any]]:
    """The operations of the document, which takes more than a second to make."""
    return [operation for path in openapi.document()["paths"].values() for operation in path.values()]


class TestOpenAPI:
    def test_every_operation_has_its_rule(self, operations: list[dict[str, Any]]) -> None:
        assert [each["operationId"] for each in operations if rules.EXTENSION not in each] == []

    def test_every_scope_is_of_use(self, operations: list[dict[str, Any]]) -> None:
        rules_of_operations = [operation[rules.EXTENSION].get("token_scopes", []) for operation in operations]
        used = {scope for needed in rules_of_operations for scopes in needed for scope in scopes}
        # within the routes that list and show ideas
        assert used | {"view_all_ideas"} == set(SCOPES)

    def test_an_operation_needs_a_log_in_unless_its_scope_is_public(self, operations: list[dict[str, Any]]) -> None:
        for operation in operations:
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
