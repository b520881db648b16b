"""The check of a known user's password, outside of a log-in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from api.auth.errors import PasswordWrong
from api.auth.service import get_user

if TYPE_CHECKING:
    from api.auth.models import User
    from api.auth.passwords import Passwords
    from api.auth.throttle import LogInDelays
    from api.kernel.db import Database


async def check_password(
    database: Database, passwords: Passwords, delays: LogInDelays, *, user_id: UUID, password: str, address: str
) -> User:
    """The logged-in user, if this is their password. Holds no connection while the hash is computed.

    Raises:
        PasswordWrong: it is not, or the user has none.
        TooManyAttempts, PasswordsBusy: as for a log-in.
    """
    async with database.session() as session:
        user = await get_user(session, user_id)
    email = user.email or str(user.id)
    delays.check(email, address)
    async with passwords.slot():
        delays.check(email, address)
        if not await passwords.verify(user.password_hash, password):
            delays.failed(email, address)
            raise PasswordWrong
    return user
