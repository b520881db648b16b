"""Log-outs at providers: started here (RP-Initiated Logout 1.0), and reported by a provider (Back-Channel Logout 1.0)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

from itsdangerous import BadSignature, TimestampSigner
from sqlalchemy import Row, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from api.auth import sessions
from api.auth.models import TOKENS_REVOKED, UserSession
from api.auth.sso.id_tokens import decrypt
from api.auth.sso.models import Identity, LogoutToken, ProviderSession, SignOnCode
from api.auth.sso.providers import MetadataInvalid
from api.auth.sso.refusals import ProviderTokenInvalid
from api.auth.sso.tokens import LEEWAY_S, read_logout_token
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.db import signal_commit
from api.kernel.outgoing_errors import CallFailed

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.sso.providers import Provider, Providers
    from api.kernel.db import Database
    from settings import Settings

STATE_VALID_S = 600


@dataclass(frozen=True)
class ProviderLogOut:
    """Where a browser logs out at the provider of its session."""

    provider: Provider
    endpoint: str
    id_token: str | None

    @property
    def origin(self) -> str:
        """The scheme, host and port of the provider's page."""
        parts = urlsplit(self.endpoint)
        return f"{parts.scheme}://{parts.netloc}"

    def url(self, settings: Settings, *, back: str) -> str:
        """The page of the provider that ends its session, and then sends the browser to `back`."""
        parameters = {
            "client_id": self.provider.settings.client_id,
            "post_logout_redirect_uri": back,
            "state": _signer(settings).sign(secrets.token_urlsafe(16)).decode(),
        }
        if self.id_token is not None:
            parameters["id_token_hint"] = self.id_token
        return f"{self.endpoint}{'&' if urlsplit(self.endpoint).query else '?'}{urlencode(parameters)}"


async def find_provider_log_out(
    database: Database, settings: Settings, providers: Providers, cookie: str | None
) -> ProviderLogOut | None:
    """How to log out at the provider of a browser's session.

    None if the session has no provider, or that offers no log-out or does not respond. No connection to the database is
    held during a call to the provider.
    """
    if not cookie or not list(providers):
        return None
    async with database.session() as session:
        owner = await sessions.find_session_of_cookie(session, cookie)
        row = None if owner is None else await _find_origin(session, owner[1].id)
    provider = providers.find_by_issuer(row.issuer) if row is not None else None
    if row is None or provider is None:
        return None
    try:
        endpoint = (await provider.metadata()).end_session_endpoint
    except (CallFailed, MetadataInvalid):
        return None
    return ProviderLogOut(provider, endpoint, decrypt(settings, row.encrypted_id_token)) if endpoint else None


async def _find_origin(session: AsyncSession, session_id: UUID) -> Row[str, bytes] | None:
    found = await session.execute(
        select(Identity.issuer, ProviderSession.encrypted_id_token)
        .join(ProviderSession, ProviderSession.identity_id == Identity.id)
        .where(ProviderSession.session_id == session_id)
    )
    return found.one_or_none()


def is_own_state(settings: Settings, state: str) -> bool:
    """Whether the browser comes back from a log-out that began here less than 10 minutes ago."""
    try:
        _signer(settings).unsign(state, max_age=STATE_VALID_S)
    except BadSignature:
        return False
    return True


async def log_out_by_provider(database: Database, provider: Provider, token: str) -> int:
    """End the sessions that a log-out token names: those of its `sid`, or all of its `sub`. Returns how many.

    Raises:
        ProviderTokenInvalid: the token is not valid, or was received before.
        SignOnRefused: the keys of the provider cannot be read.
    """
    claims = await read_logout_token(provider, token)
    async with database.session() as session:
        await _note_token(session, provider, claims)
        chosen = select(Identity.id, Identity.user_id).where(Identity.issuer == provider.issuer)
        if "sub" in claims:
            chosen = chosen.where(Identity.subject == claims["sub"])
        sid = claims.get("sid")
        total = 0
        if sid is not None:
            in_session = select(ProviderSession.identity_id).where(ProviderSession.provider_session == sid)
            of_codes = select(SignOnCode.identity_id).where(SignOnCode.provider_session == sid)
            chosen = chosen.where(Identity.id.in_(in_session.union(of_codes)))
        for identity in (await session.execute(chosen.order_by(Identity.id))).all():
            total += await _end_sessions(session, provider, identity.id, identity.user_id, sid)
    return total


async def _end_sessions(
    session: AsyncSession, provider: Provider, identity_id: UUID, user_id: UUID, sid: str | None
) -> int:
    of_identity = select(ProviderSession.session_id).where(ProviderSession.identity_id == identity_id)
    codes = delete(SignOnCode).where(SignOnCode.identity_id == identity_id)
    if sid is not None:
        of_identity = of_identity.where(ProviderSession.provider_session == sid)
        codes = codes.where(SignOnCode.provider_session == sid)
    await session.execute(codes.execution_options(synchronize_session=False))
    ended = await session.scalars(
        update(UserSession)
        .where(UserSession.id.in_(of_identity), UserSession.revoked_at.is_(None))
        .values(revoked_at=clock.now())
        .returning(UserSession.id)
        .execution_options(synchronize_session=False)
    )
    number = len(ended.all())
    if number:
        signal_commit(session, TOKENS_REVOKED)
        event = payloads.LoggedOutByProvider(provider=provider.name, sessions=number)
        await record_event(session, event, actor_id=None, user_id=user_id)
    return number


async def _note_token(session: AsyncSession, provider: Provider, claims: dict[str, Any]) -> None:
    """Store the token's id until the token has expired.

    Raises:
        ProviderTokenInvalid: it was received before.
    """
    expires_at = datetime.fromtimestamp(claims["exp"], UTC) + timedelta(seconds=LEEWAY_S)
    new = insert(LogoutToken).values(issuer=provider.issuer, token_id=claims["jti"], expires_at=expires_at)
    noted = await session.scalar(new.on_conflict_do_nothing().returning(LogoutToken.token_id))
    if noted is None:
        msg = "it was received before"
        raise ProviderTokenInvalid(msg)


def _signer(settings: Settings) -> TimestampSigner:
    return TimestampSigner(
        settings.auth.signing_secret, salt="sign-off", key_derivation="hmac", digest_method=hashlib.sha256
    )
