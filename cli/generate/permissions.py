"""Write docs/permissions.md from the code, or check the committed one: `python -m cli.generate.permissions [--check] FILE`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from api.kernel.permissions import (
    ASSIGNABLE,
    DESCRIPTIONS,
    GRANTS,
    CampaignRole,
    Permission,
    Relation,
    Role,
    SystemRole,
    grants,
)
from api.kernel.rules import EXTENSION, Scope, Visibility
from api.kernel.scopes import SCOPES, SERVICE_SCOPES
from cli.generate import openapi
from cli.generate.files import write_or_check

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEAD = """\
# Permissions

Generated from the code by `make docs`. The table of roles and permissions is `api/kernel/permissions.py`; each route
declares its rule with the dependency that enforces it, and `openapi.json` has the same rule as `x-permission`.

A caller has the permissions of all their roles together: the system roles of the user, the role of their membership in
the campaign, and their relation to the resource. A campaign is **hidden** if it is for members only or a draft. A caller
without `view_campaign` gets the same response for a hidden campaign as for one that does not exist.
"""
_ROLES: tuple[Role, ...] = (
    Relation.VISITOR,
    CampaignRole.OBSERVER,
    CampaignRole.MEMBER,
    Relation.AUTHOR,
    CampaignRole.MODERATOR,
    CampaignRole.MANAGER,
    SystemRole.DATA_VIEWER,
    SystemRole.DATA_ENGINEER,
    SystemRole.EXECUTIVE,
    SystemRole.SYSTEM_ADMIN,
)
_STORED: dict[type[Role], str] = {SystemRole: "`users.roles`", CampaignRole: "`memberships.role`", Relation: "nowhere"}
_SCOPES = """\
## Scopes of API tokens

A token uses the rights of its owner, as far as its scopes allow ([tokens.md](tokens.md)). The last column shows the scopes
that a service account can have.
"""
_ROUTES = """\
## Routes

In the columns of roles: **yes**, the role alone is enough (for a campaign route: in that campaign, or for a system role in
all campaigns); **policy**, as far as the coin policy of the campaign allows it; a dash, the role alone is not enough.
`visitor` is any user on a public campaign; where the scope is `public`, also a caller without a log-in.

Hidden campaign: **404** is the response of `campaign-not-found` or `idea-not-found`; **alike** means that the response
depends on the caller's own wallet or on the role in each campaign of the request, and is the same for a campaign that
does not exist.

Token scopes: what an API token needs in addition. "log-in only": the route accepts no API tokens.
"""
_HIDDEN = {Visibility.NOT_FOUND: "404", Visibility.ALIKE: "alike"}


def describe() -> str:
    """The page: roles, the table role x permission, and the table route x role."""
    parts = (_HEAD, _roles(), _grants(), _scopes(), _ROUTES + "\n" + _routes())
    return "\n".join(parts)


def _roles() -> str:
    rows = [(f"`{role}`", _STORED[type(role)], DESCRIPTIONS[role]) for role in _ROLES]
    return "## Roles\n\n" + _table(("role", "stored in", "what it is"), rows)


def _grants() -> str:
    rows = [
        (
            f"`{permission}`",
            DESCRIPTIONS[permission],
            *("yes" if permission in GRANTS[role] else "-" for role in _ROLES),
        )
        for permission in Permission
    ]
    assigned = ", ".join(f"`{permission}`" for permission in sorted(ASSIGNABLE))
    note = f"\nWithout a role, a user can have: {assigned} (`users.permissions`).\n"
    return "## Permissions of each role\n\n" + _table(("permission", "allows to", *_ROLES), rows) + note


def _routes() -> str:
    rows = []
    for method, path, operation in _operations():
        rule = operation[EXTENSION]
        permissions = [Permission(name) for name in rule["permissions"]]
        hidden = rule.get("hidden_campaign")
        rows.append(
            (
                f"`{method} {path.removeprefix('/api/v1')}`",
                f"`{operation['operationId']}`",
                rule["scope"],
                " or ".join(f"`{permission}`" for permission in permissions) or "-",
                _HIDDEN[hidden] if hidden else "-",
                _scopes_of(rule.get("token_scopes")),
                *(_cell(Scope(rule["scope"]), permissions, role) for role in _ROLES),
            )
        )
    return _table(("route", "operation", "scope", "permission", "hidden campaign", "token scopes", *_ROLES), rows)


def _scopes_of(needed: list[list[str]] | None) -> str:
    if needed is None:
        return "log-in only"
    return " and ".join(" or ".join(f"`{scope}`" for scope in each) for each in needed) or "-"


def _scopes() -> str:
    rows = [
        (f"`{scope}`", description, "yes" if scope in SERVICE_SCOPES else "-") for scope, description in SCOPES.items()
    ]
    return _SCOPES + "\n" + _table(("scope", "allows to", "service accounts"), rows)


def _cell(scope: Scope, permissions: Sequence[Permission], role: Role) -> str:
    if not permissions:
        return "yes"
    granted = any(grants((role,), permission) for permission in permissions)
    if granted and Permission.VIEW_STAKES in permissions:
        return "policy"
    return "yes" if granted and (scope is not Scope.SYSTEM or isinstance(role, SystemRole)) else "-"


def _operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in sorted(openapi.document()["paths"].items()):
        for method, operation in sorted(methods.items()):
            yield method.upper(), path, operation


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


if __name__ == "__main__":
    sys.exit(write_or_check(describe, __doc__))
