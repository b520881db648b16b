"""Tables of identities at providers, and of the sessions that began there."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Model, PrimaryKey


class Identity(Model):
    """A person at a provider: the pair of issuer and subject, which never changes."""

    __tablename__ = "identities"
    __table_args__ = (UniqueConstraint("issuer", "subject"), UniqueConstraint("user_id", "issuer"))

    id: Mapped[PrimaryKey]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"))
    issuer: Mapped[str]
    subject: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_log_in_at: Mapped[datetime] = mapped_column(default=clock.now)


class ProviderSession(Model):
    """A session that began at a provider; `provider_session` is the provider's id of its own session (`sid`)."""

    __tablename__ = "provider_sessions"

    session_id: Mapped[UUID] = mapped_column(ForeignKey("app.sessions.id", ondelete="CASCADE"), primary_key=True)
    identity_id: Mapped[UUID] = mapped_column(ForeignKey("app.identities.id"), index=True)
    provider_session: Mapped[str | None] = mapped_column(index=True)
    encrypted_id_token: Mapped[bytes]


class SignOnCode(Model):
    """A code that a program exchanges for tokens, once; see :mod:`api.auth.sso.codes`."""

    __tablename__ = "sign_on_codes"

    id: Mapped[PrimaryKey]
    code_hash: Mapped[bytes] = mapped_column(unique=True)
    code_challenge: Mapped[str]
    provider: Mapped[str]
    identity_id: Mapped[UUID] = mapped_column(ForeignKey("app.identities.id"), index=True)
    provider_session: Mapped[str | None]
    encrypted_id_token: Mapped[bytes]
    has_second_factor: Mapped[bool]
    expires_at: Mapped[datetime]


class LogoutToken(Model):
    """A log-out token that was received; its id is accepted once."""

    __tablename__ = "logout_tokens"

    issuer: Mapped[str] = mapped_column(primary_key=True)
    token_id: Mapped[str] = mapped_column(primary_key=True)
    expires_at: Mapped[datetime]
