"""The access rule of each route, declared once: on the dependency that enforces it. OpenAPI shows it.

A function that enforces a rule is marked with :func:`enforces`. Exactly one direct dependency of a route is such a
function. The route class reads the rule from it, so `x-permission` and `docs/permissions.md` match the enforced rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from fastapi import Depends
from fastapi.routing import APIRoute

from api.kernel.permissions import Permission
from api.kernel.scopes import READ_OWN, SCOPE_OF

if TYPE_CHECKING:
    from fastapi import APIRouter
    from fastapi.dependencies.models import Dependant

EXTENSION = "x-permission"
_ATTRIBUTE = "__access_rule__"

Function = TypeVar("Function", bound=Callable[..., Any])


class Scope(StrEnum):
    """What a rule applies to."""

    PUBLIC = "public"
    """Anyone may call, also without a log-in."""
    SELF = "self"
    """Any user may call, for their own account or for data that they may see."""
    CAMPAIGN = "campaign"
    """A permission in one campaign."""
    SYSTEM = "system"
    """A permission in the installation."""


class Visibility(StrEnum):
    """What a response discloses about a campaign that the caller may not see (`view_campaign`)."""

    NOT_FOUND = "not_found"
    """404, with the same body as for a campaign that does not exist."""
    ALIKE = "alike"
    """The response depends on the caller's own wallet or role, and is the same for a campaign that does not exist."""


@dataclass(frozen=True)
class Rule:
    """Who may call an operation: callers with at least one of `permissions`, or all in the scope if it is empty.

    An API token also needs the scopes that :meth:`needed_scopes` derives, or one of `token_scopes` if they are given. With an
    empty `token_scopes` the operation is for log-ins only.
    """

    scope: Scope
    permissions: tuple[Permission, ...] = ()
    visibility: Visibility | None = None
    token_scopes: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        """Check that the parts are consistent."""
        is_checked = self.scope in {Scope.CAMPAIGN, Scope.SYSTEM}
        assert self.permissions or not is_checked, f"{self.scope} needs a permission"
        assert not self.permissions or self.scope is not Scope.SELF, "the caller's own account needs no permission"
        assert self.visibility is not None or self.scope is not Scope.CAMPAIGN, "a campaign needs a visibility"

    def needed_scopes(self, *, is_write: bool) -> tuple[frozenset[str], ...]:
        """The scopes of a token: it needs one of each set. No token has one of the empty set, so only a log-in may call.

        By default a token needs the scope of one of the permissions, and `view_campaign` in addition where the campaign may be
        hidden. Without permissions it may read what is the caller's own, and write nothing.
        """
        if self.token_scopes is not None:
            return (frozenset(self.token_scopes),)
        if self.permissions:
            needed = frozenset(SCOPE_OF[each] for each in self.permissions if each in SCOPE_OF)
            sees = frozenset({SCOPE_OF[Permission.VIEW_CAMPAIGN]})
            return (needed, sees) if self.visibility is Visibility.NOT_FOUND and needed != sees else (needed,)
        if self.scope is Scope.PUBLIC:
            return ()
        return (frozenset(),) if is_write else (frozenset({READ_OWN}),)

    def as_extension(self, *, is_write: bool) -> dict[str, Any]:
        """The value of `x-permission`; `token_scopes` is missing where no token is accepted."""
        needed = self.needed_scopes(is_write=is_write)
        return {
            "scope": self.scope.value,
            "permissions": [each.value for each in self.permissions],
            **({"hidden_campaign": self.visibility.value} if self.visibility else {}),
            **({"token_scopes": [sorted(each) for each in needed]} if all(needed) else {}),
        }


class RuleError(Exception):
    """A route has no access rule, or more than one."""


def enforces(rule: Rule) -> Callable[[Function], Function]:
    """Mark a dependency as the one that enforces `rule`."""

    def mark(function: Function) -> Function:
        setattr(function, _ATTRIBUTE, rule)
        return function

    return mark


def find_rule(dependant: Dependant, name: str) -> Rule | None:
    """The rule among the direct dependencies of a route, or None.

    Raises:
        RuleError: there is more than one.
    """
    calls = (dependency.call for dependency in dependant.dependencies)
    rules = [rule for rule in (getattr(call, _ATTRIBUTE, None) for call in calls) if rule is not None]
    if len(rules) > 1:
        msg = f"the route {name} has {len(rules)} access rules: {rules}"
        raise RuleError(msg)
    return rules[0] if rules else None


def check_routers(routers: Iterable[APIRouter]) -> None:
    """Check that every route has an access rule.

    Raises:
        RuleError: a route has no rule.
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
    """Allow every request."""


PUBLIC = Depends(_anyone)
"""For the `dependencies` of a route or a router that anyone may call."""
