"""API tokens of users and of service accounts: created, listed, revoked. Each secret is returned once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import func, select, text

from api.auth.api_tokens.models import ApiToken, ServiceAccount
from api.auth.api_tokens.secrets import new_token, shown_prefix
from api.auth.errors import TooManyTokens
from api.auth.models import TOKENS_REVOKED, User
from api.auth.service import check_display_name
from api.events import payloads
from api.events.service import record_event
from api.kernel import clock
from api.kernel.db import signal_commit
from api.kernel.errors import InvalidInput, NotFound
from api.kernel.jobs import Job
from api.kernel.scopes import SCOPES
from api.kernel.stored_secrets import hash_secret

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from sqlalchemy.ext.asyncio import AsyncSession

    from api.kernel.container import KernelContainer
    from settings.auth import AuthSettings

NAME_LENGTH_MAX = 100
TOKENS_PER_OWNER_MAX = 100
ENDED_KEPT_DAYS = 90

_DELETE_ENDED = text(
    """
    DELETE FROM app.api_tokens AS t
    WHERE t.id = ANY (ARRAY(
        SELECT x.id FROM app.api_tokens AS x
        WHERE least(x.expires_at, x.revoked_at) < now() - make_interval(days => :kept_days)
        LIMIT :rows_max
    ))
    """
)


@dataclass(frozen=True)
class Created:
    """A new token; `secret` is its text, which is stored nowhere."""

    token: ApiToken
    secret: str


async def create_token(
    session: AsyncSession,
    settings: AuthSettings,
    owner: User | ServiceAccount,
    *,
    name: str,
    scopes: Iterable[str],
    days: int | None = None,
    actor_id: UUID | None,
) -> Created:
    """A new token of a user or of a service account, valid for `days` days, or as long as the setting allows.

    The owner must be locked, so that the number of their tokens is right.

    Raises:
        InvalidInput: the name, a scope or the number of days is not allowed, or the owner is deactivated.
        TooManyTokens: the owner has 100 tokens that can be used.
    """
    created = await add_token(session, settings, owner, name=name, scopes=scopes, days=days, actor_id=actor_id)
    await record_event(
        session,
        payloads.ApiTokenCreated(
            created_token_id=created.token.id,
            service_account_id=created.token.service_account_id,
            scopes=tuple(created.token.scopes),
            expires_at=created.token.expires_at,
        ),
        actor_id=actor_id,
        user_id=_person(owner),
    )
    return created


async def add_token(
    session: AsyncSession,
    settings: AuthSettings,
    owner: User | ServiceAccount,
    *,
    name: str,
    scopes: Iterable[str],
    days: int | None,
    actor_id: UUID | None,
) -> Created:
    """As :func:`create_token`, without an event."""
    allowed = owner.scopes if isinstance(owner, ServiceAccount) else SCOPES
    chosen = check_scopes_of(scopes, allowed)
    days = settings.api_token_days_max if days is None else days
    if not 1 <= days <= settings.api_token_days_max:
        msg = f"A token is valid for 1 to {settings.api_token_days_max} days (IDEAMINT_API_TOKEN_DAYS_MAX)."
        raise InvalidInput(msg)
    if not owner.is_active:
        msg = "A deactivated account gets no tokens."
        raise InvalidInput(msg)
    await _check_number(session, owner)
    secret = new_token()
    now = clock.now()
    token = ApiToken(
        user_id=owner.id if isinstance(owner, User) else None,
        service_account_id=owner.id if isinstance(owner, ServiceAccount) else None,
        name=check_name(name),
        prefix=shown_prefix(secret),
        token_hash=hash_secret(secret),
        scopes=chosen,
        created_at=now,
        created_by=actor_id,
        expires_at=now + timedelta(days=days),
    )
    session.add(token)
    await session.flush()
    return Created(token, secret)


async def list_tokens(
    session: AsyncSession,
    *,
    user_id: UUID | None = None,
    service_account_id: UUID | None = None,
    after: tuple[UUID] | None = None,
    limit: int,
) -> Sequence[ApiToken]:
    """Tokens, the newest first; also those that have ended, for 90 days."""
    found = select(ApiToken)
    if user_id is not None:
        found = found.where(ApiToken.user_id == user_id)
    if service_account_id is not None:
        found = found.where(ApiToken.service_account_id == service_account_id)
    if after is not None:
        found = found.where(ApiToken.id < after[0])
    return (await session.scalars(found.order_by(ApiToken.id.desc()).limit(limit))).all()


async def revoke_token(
    session: AsyncSession, token_id: UUID, *, actor_id: UUID | None, user_id: UUID | None = None
) -> ApiToken:
    """Revoke a token, if `user_id` is given only a token of this user; other processes refuse it within a second.

    Revoking it again changes nothing.

    Raises:
        NotFound: there is no such token.
    """
    token = await session.get(ApiToken, token_id, with_for_update=True, populate_existing=True)
    if token is None or (user_id is not None and token.user_id != user_id):
        msg = f"There is no token {token_id}."
        raise NotFound(msg)
    if token.revoked_at is None:
        token.revoked_at = clock.now()
        token.revoked_by = actor_id
        await session.flush()
        signal_commit(session, TOKENS_REVOKED)
        payload = payloads.ApiTokenRevoked(revoked_token_id=token.id, service_account_id=token.service_account_id)
        await record_event(session, payload, actor_id=actor_id, user_id=token.user_id)
    return token


def check_scopes_of(scopes: Iterable[str], allowed: Collection[str]) -> list[str]:
    """The scopes in the order of the catalogue, each once.

    Raises:
        InvalidInput: there are none, or one is not allowed.
    """
    chosen = set(scopes)
    if unknown := sorted(chosen - set(allowed)):
        msg = f"Not a scope of this token: {', '.join(unknown)}; expected: {', '.join(sorted(allowed))}."
        raise InvalidInput(msg)
    if not chosen:
        msg = f"A token needs at least one scope of {', '.join(sorted(allowed))}."
        raise InvalidInput(msg)
    return [scope for scope in SCOPES if scope in chosen]


def check_name(name: str) -> str:
    """The name of a token or a service account, in one line.

    Raises:
        InvalidInput: it is empty, longer than 100 characters, or not one line.
    """
    return check_display_name(name, NAME_LENGTH_MAX)


async def delete_ended_tokens(container: KernelContainer) -> int:
    """Delete tokens that ended more than 90 days ago; returns how many. Their events remain."""
    return await container.database.delete_in_parts(_DELETE_ENDED, kept_days=ENDED_KEPT_DAYS)


async def _check_number(session: AsyncSession, owner: User | ServiceAccount) -> None:
    column = ApiToken.user_id if isinstance(owner, User) else ApiToken.service_account_id
    usable = select(func.count()).where(
        column == owner.id, ApiToken.revoked_at.is_(None), ApiToken.expires_at > clock.now()
    )
    if (await session.scalar(usable) or 0) >= TOKENS_PER_OWNER_MAX:
        raise TooManyTokens(TOKENS_PER_OWNER_MAX)


def _person(owner: User | ServiceAccount) -> UUID:
    return owner.id if isinstance(owner, User) else owner.owner_id


DELETE_ENDED = Job(name="delete_ended_api_tokens", run=delete_ended_tokens, cron="57 1 * * *")
