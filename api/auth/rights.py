"""The system rights of a session or an API token: those of its user, unless a second factor is missing."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.kernel.permissions import SystemRole

if TYPE_CHECKING:
    from settings import Settings


@dataclass(frozen=True)
class Rights:
    """Roles and permissions in the installation."""

    roles: frozenset[str]
    permissions: frozenset[str]


def lacks_factor(settings: Settings, roles: Collection[str], *, has_second_factor: bool) -> bool:
    """Whether there are no system rights, because an administrator has used no second factor.

    Only if `IDEAMINT_ADMINISTRATORS_NEED_SECOND_FACTOR` is set.
    """
    return (
        settings.auth.administrators_need_second_factor and SystemRole.SYSTEM_ADMIN in roles and not has_second_factor
    )


def effective_rights(
    settings: Settings, roles: Collection[str], permissions: Collection[str], *, has_second_factor: bool
) -> Rights:
    """The rights of a user with these roles and permissions; none while a second factor is missing.

    A session has a second factor if it was used in it, or an identity provider has identified the user. An API token has
    one if its user does.
    """
    if lacks_factor(settings, roles, has_second_factor=has_second_factor):
        return Rights(frozenset(), frozenset())
    return Rights(frozenset(roles), frozenset(permissions))
