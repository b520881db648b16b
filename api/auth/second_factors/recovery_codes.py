"""Recovery codes: ten codes, each for one log-in without the other factors."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, func, select, update

from api.auth.second_factors.models import RecoveryCode
from api.kernel import clock
from api.kernel.stored_secrets import hash_secret

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

COUNT = 10
LENGTH = 16
_BYTES = 10  # 80 bits: a stored hash cannot be reversed by trying


async def create(session: AsyncSession, user_id: UUID) -> list[str]:
    """New codes of a user, such as `k3vx-9m2p-q7wd-a4tz`; the earlier ones become void."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
    codes = [base64.b32encode(secrets.token_bytes(_BYTES)).decode().lower() for _ in range(COUNT)]
    session.add_all(RecoveryCode(user_id=user_id, code_hash=hash_secret(code)) for code in codes)
    await session.flush()
    return ["-".join(code[start : start + 4] for start in range(0, LENGTH, 4)) for code in codes]


async def accepts(session: AsyncSession, user_id: UUID, code: str) -> bool:
    """Whether this is an unused code of the user, written without hyphens; it is used by this call."""
    used = await session.scalar(
        update(RecoveryCode)
        .where(
            RecoveryCode.user_id == user_id,
            RecoveryCode.code_hash == hash_secret(code.lower()),
            RecoveryCode.used_at.is_(None),
        )
        .values(used_at=clock.now())
        .returning(RecoveryCode.id)
        .execution_options(synchronize_session=False)
    )
    return used is not None


async def count_unused(session: AsyncSession, user_id: UUID) -> int:
    """How many codes a user has left."""
    unused = select(func.count()).where(RecoveryCode.user_id == user_id, RecoveryCode.used_at.is_(None))
    return await session.scalar(unused) or 0


async def remove(session: AsyncSession, user_id: UUID) -> None:
    """Remove the codes of a user."""
    await session.execute(delete(RecoveryCode).where(RecoveryCode.user_id == user_id))
