"""The access rule of each route, declared once: the dependency that enforces it carries it, and OpenAPI shows it.

A function that enforces a rule is marked with :func:`enforces`. A route depends on exactly one such function, directly.
The route class reads the rule from there, so `x-permission` and `docs/permissions.md` cannot differ from what runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Depends
from fastapi.routing import APIRoute

from api.kernel.permissions import Permission

if TYPE_CHECKING:
    from fastapi import APIRouter
    from fastapi.dependencies.models import Dependant

EXTENSION = "x-permission"
_ATTRIBUTE = "__access_rule__"

Function = TypeVar("Function", bound=Callable[..., Any])


class Scope(StrEnum):
    """To what a rule applies."""

    PUBLIC = "public"
    """Anyone may call, without a log-in."""
    SELF = "self"
    """Any user may call, about their own account or what they may see."""
    CAMPAIGN = "campaign"
    """A permission in one campaign."""
    SYSTEM = "system"
    """A permission in the installation."""


class Visibility(StrEnum):
    """What a response discloses of a campaign that the caller may not see (`view_campaign`)."""

    NOT_FOUND = "not_found"
    """404, with the same body as for a campaign that does not exist."""
    ALIKE = "alike"
    """The response depends on the caller's own wallet or role, and is the same for a campaign that does not exist."""


@dataclass(frozen=True)
class Rule:
    """Who may call an operation: a caller with at least one of `permissions`, or everyone in the scope if it is empty."""

    scope: Scope
    permissions: tuple[Permission, ...] = ()
    visibility: Visibility | None = None

    def __post_init__(self) -> None:
        """Check that the parts fit together."""
        is_checked = self.scope in {Scope.CAMPAIGN, Scope.SYSTEM}
        assert self.permissions or not is_checked, f"{self.scope} needs a permission"
        assert not self.permissions or self.scope is not Scope.SELF, "an own account needs no permission"
        assert self.visibility is not None or self.scope is not Scope.CAMPAIGN, "a campaign needs a visibility"

    def as_extension(self) -> dict[str, Any]:
        """The value of `x-permission`."""
        return {"scope": self.scope.value, "permissions": [each.value for each in self.permissions]} | (
            {"hidden_campaign": self.visibility.value} if self.visibility else {}
        )


class RuleError(Exception):
    """A route has no access rule, or more than one."""


def enforces(rule: Rule) -> Callable[[Function], Function]:
    """Mark a dependency as the one that enforces `rule`."""

    def mark(function: Function) -> Function:
        setattr(function, _ATTRIBUTE, rule)
        return function

    return mark


def find_rule(dependant: Dependant, name: str) -> Rule | None:
    """The rule among the direct dependencies of a route.

    Raises:
        RuleError: there are several.
    """
    calls = (dependency.call for dependency in dependant.dependencies)
    rules = [rule for rule in (getattr(call, _ATTRIBUTE, None) for call in calls) if rule is not None]
    if len(rules) > 1:
        msg = f"the route {name} has {len(rules)} access rules: {rules}"
        raise RuleError(msg)
    return rules[0] if rules else None


def check_routers(routers: Iterable[APIRouter]) -> None:
    """Refuse to start with a route that has no rule.

    Raises:
        RuleError: a route has none.
    """
    for route in _api_routes(routers):
        if find_rule(route.dependant, route.name) is None:
            msg = f"the route {route.name} ({route.path}) has no access rule"
            raise RuleError(msg)


def _api_routes(routers: Iterable[APIRouter]) -> Iterator[APIRoute]:
    for router in routers:
        yield from (route for route in router.routes if isinstance(route, APIRoute))


@enforces(Rule(Scope.PUBLIC))
async def _anyone() -> None:
    """Let everyone in."""


PUBLIC = Depends(_anyone)
"""For the `dependencies` of a route or a router that anyone may call."""
