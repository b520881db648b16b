"""The identities of an account, as administrators see and remove them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import delete, select, update

from api.auth.models import TOKENS_REVOKED, UserSession
from api.auth.sso.models import Identity, ProviderSession, SignOnCode
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.db import signal_commit
from api.kernel.errors import NotFound

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession


async def list_identities(session: AsyncSession, user_id: UUID) -> Sequence[Identity]:
    """The identities of a user, the first linked first."""
    found = await session.scalars(select(Identity).where(Identity.user_id == user_id).order_by(Identity.id))
    return found.all()


async def unlink_identity(session: AsyncSession, user_id: UUID, identity_id: UUID, *, actor_id: UUID) -> None:
    """Remove an identity of a user, and end the sessions that began with it.

    Raises:
        NotFound: the user has no such identity.
    """
    identity = await session.get(Identity, identity_id, with_for_update=True, populate_existing=True)
    if identity is None or identity.user_id != user_id:
        msg = f"The user {user_id} has no identity {identity_id}."
        raise NotFound(msg)
    began = select(ProviderSession.session_id).where(ProviderSession.identity_id == identity_id)
    ended = update(UserSession).where(UserSession.id.in_(began), UserSession.revoked_at.is_(None))
    await session.execute(ended.values(revoked_at=clock.now()).execution_options(synchronize_session=False))
    signal_commit(session, TOKENS_REVOKED)
    for table in (ProviderSession, SignOnCode):
        gone = delete(table).where(table.identity_id == identity_id)
        await session.execute(gone.execution_options(synchronize_session=False))
    await session.delete(identity)
    await session.flush()
    event = payloads.IdentityUnlinked(issuer=identity.issuer)
    await record_event(session, event, actor_id=actor_id, user_id=user_id)
