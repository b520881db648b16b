"""The system rights of a session: those of its user, unless a second factor is missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.kernel.permissions import SystemRole

if TYPE_CHECKING:
    from api.auth.models import User
    from settings import Settings


@dataclass(frozen=True)
class Rights:
    """Roles and permissions in the installation."""

    roles: frozenset[str]
    permissions: frozenset[str]


def lacks_factor(settings: Settings, user: User, *, has_second_factor: bool) -> bool:
    """Whether a session has no system rights, because its user is an administrator and used no second factor.

    Only if `IDEAMINT_ADMINISTRATORS_NEED_SECOND_FACTOR` is set.
    """
    return (
        settings.auth.administrators_need_second_factor
        and SystemRole.SYSTEM_ADMIN in user.roles
        and not has_second_factor
    )


def effective_rights(settings: Settings, user: User, *, has_second_factor: bool) -> Rights:
    """The rights of a session of this user; none while a second factor is missing, see :func:`lacks_factor`."""
    if lacks_factor(settings, user, has_second_factor=has_second_factor):
        return Rights(frozenset(), frozenset())
    return Rights(frozenset(user.roles), frozenset(user.permissions))
