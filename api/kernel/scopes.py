"""The scopes of API tokens: a closed set, derived from the permissions.

The scope of a permission has the permission's name, except that of `move_coins`, which is `coins:stake`. A token acts with
the rights that its owner has and that its scopes allow; no scope gives a right. `docs/tokens.md` explains the rule, and the
check constraints of the database are tested against this module.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from api.kernel.permissions import DESCRIPTIONS, GRANTS, Permission, SystemRole

if TYPE_CHECKING:
    from collections.abc import Mapping

READ_OWN = "own:read"
STAKE_COINS = "coins:stake"

# Dagster's page and the dashboards accept a browser's cookie only
_WITHOUT_SCOPE = frozenset({Permission.VIEW_DATA_PLATFORM, Permission.COMMAND_DATA_PLATFORM})
_NAMES = {Permission.MOVE_COINS: STAKE_COINS}

SCOPE_OF: Mapping[Permission, str] = MappingProxyType(
    {each: _NAMES.get(each, each.value) for each in Permission if each not in _WITHOUT_SCOPE}
)
"""The scope that allows the use of a permission; a token never has a permission that is missing here."""

SCOPES: Mapping[str, str] = MappingProxyType(
    {READ_OWN: "read one's own account, sessions, tokens and coins"}
    | {scope: DESCRIPTIONS[permission] for permission, scope in SCOPE_OF.items()}
)
"""Every scope with what it allows."""

# a service account is no person: it has no coins, ideas and memberships, so it cannot become the manager of a campaign
_OF_PERSONS = frozenset({Permission.JOIN_CAMPAIGN, Permission.CREATE_CAMPAIGN})
SERVICE_SCOPES: tuple[str, ...] = tuple(
    scope
    for permission, scope in SCOPE_OF.items()
    if permission in GRANTS[SystemRole.SYSTEM_ADMIN] and permission not in _OF_PERSONS
)
"""The scopes that a service account can have; each is the name of its permission."""


def allows(scopes: frozenset[str] | None, permission: Permission) -> bool:
    """Whether the scopes of a token allow the use of a permission; None is a log-in, which has no scopes."""
    return scopes is None or SCOPE_OF.get(permission) in scopes
