"""A log-in by a provider, from the response of the provider to a session of the browser or a code for a program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.auth import sessions
from api.auth.errors import EmailTaken
from api.auth.sso import codes
from api.auth.sso.accounts import Account, find_or_create_account
from api.auth.sso.code_flow import Identified, identify
from api.auth.sso.id_tokens import encrypt
from api.auth.sso.models import ProviderSession
from api.auth.sso.refusals import Reason, Refused, SignOnRefused
from api.events import payloads
from api.events.service import record_event

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from api.auth.sso.attempts import Attempt
    from api.auth.sso.providers import Provider
    from api.kernel.db import Database
    from settings import Settings

_TRIES = 2  # the second one finds the account that was created at the same moment


@dataclass(frozen=True)
class Code:
    """A code that a program exchanges for tokens; it is not stored."""

    secret: str


async def complete_log_in(
    database: Database,
    settings: Settings,
    provider: Provider,
    attempt: Attempt | None,
    response: Mapping[str, str],
    *,
    callback: str,
    client: sessions.Client,
) -> sessions.Issued | Code | Refused:
    """Log a person in. `response` are the parameters with which the provider sent the browser back to `callback`.

    No connection to the database is held during calls to the provider.
    """
    try:
        if attempt is None:
            raise SignOnRefused(Reason.EXPIRED)
        identified = await identify(provider, attempt, response, callback=callback)
        for left in reversed(range(_TRIES)):
            try:
                async with database.session() as session:
                    return await _log_in(session, settings, provider, attempt, identified, client)
            except EmailTaken:
                if not left:
                    raise SignOnRefused(Reason.EXPIRED) from None
        raise AssertionError
    except SignOnRefused as refused:
        async with database.session() as session:
            failed = payloads.LogInFailed(provider=provider.name, reason=refused.reason)
            await record_event(session, failed, actor_id=None)
        return Refused(refused.reason)


async def _log_in(
    session: AsyncSession,
    settings: Settings,
    provider: Provider,
    attempt: Attempt,
    identified: Identified,
    client: sessions.Client,
) -> sessions.Issued | Code:
    account = await find_or_create_account(session, settings, provider, identified.person)
    stored = encrypt(settings, identified.id_token)
    if attempt.destination.redirect_uri:
        secret = await codes.issue_code(
            session,
            account.identity,
            token_version=account.user.token_version,
            provider=provider.name,
            code_challenge=attempt.destination.code_challenge,
            provider_session=identified.provider_session,
            encrypted_id_token=stored,
            has_second_factor=identified.has_second_factor,
        )
        return Code(secret)
    return await start_provider_session(
        session,
        settings,
        account,
        kind="browser",
        client=client,
        provider=provider.name,
        provider_session=identified.provider_session,
        encrypted_id_token=stored,
        has_second_factor=identified.has_second_factor,
    )


async def start_provider_session(
    session: AsyncSession,
    settings: Settings,
    account: Account,
    *,
    kind: sessions.SessionKind,
    client: sessions.Client,
    provider: str,
    provider_session: str | None,
    encrypted_id_token: bytes,
    has_second_factor: bool,
) -> sessions.Issued:
    """A session that remembers the provider's session, whose end ends it too.

    `has_second_factor`: the provider has asked for one, by what the settings say about its claims.

    Raises:
        SignOnRefused: the account was deactivated meanwhile.
    """
    issued = await sessions.start_session(
        session, settings, account.user.id, kind=kind, client=client, has_second_factor=has_second_factor
    )
    if issued is None:
        raise SignOnRefused(Reason.ACCOUNT_DEACTIVATED)
    session.add(
        ProviderSession(
            session_id=issued.session_id,
            identity_id=account.identity.id,
            provider_session=provider_session,
            encrypted_id_token=encrypted_id_token,
        )
    )
    await session.flush()
    event = payloads.LoggedIn(session_kind=kind, provider=provider)
    await record_event(session, event, actor_id=account.user.id, user_id=account.user.id)
    return issued
