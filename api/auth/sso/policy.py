"""Whether passwords work, or only log-ins by a provider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.auth.errors import PasswordsOff

if TYPE_CHECKING:
    from settings import Settings


def check_passwords_work(settings: Settings, email: str | None) -> None:
    """Refuse a log-in by password, a registration or a new password, if only providers identify users.

    Raises:
        PasswordsOff: the setting `sso_only` is on, and this is not the address of the emergency account.
    """
    if not settings.sso.allows_password(email):
        raise PasswordsOff
