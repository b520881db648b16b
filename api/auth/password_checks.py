"""The check of a known user's password, outside of a log-in."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from api.auth.account_mails import Purpose, order_mail
from api.auth.errors import PasswordWrong
from api.auth.service import get_user
from api.auth.throttle import Origin

if TYPE_CHECKING:
    from api.auth.models import User
    from api.auth.passwords import Passwords
    from api.auth.throttle import LogInDelays
    from api.kernel.db import Database


async def check_password(
    database: Database, passwords: Passwords, delays: LogInDelays, *, user_id: UUID, password: str, address: str
) -> User:
    """The user, if this is their password. Holds no connection while the hash is computed.

    A failure counts as that of a log-in, and its owner is informed of many of them.

    Raises:
        PasswordWrong: it is not, or the user has none.
        TooManyAttempts, PasswordsBusy: as for a log-in.
    """
    async with database.session() as session:
        user = await get_user(session, user_id)
        email, origin = user.email or str(user.id), Origin(address)
        await delays.check(session, email, origin)
    async with passwords.slot():
        async with database.session() as session:
            standing = await delays.check(session, email, origin)
        if not await passwords.verify(user.password_hash, password):
            async with database.session() as session:
                if await delays.failed(session, standing):
                    await order_mail(session, Purpose.LOG_INS_DELAYED, user.id)
            raise PasswordWrong
    return user
