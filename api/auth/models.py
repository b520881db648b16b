"""Tables of users, sessions and their tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Edited, Model, PrimaryKey

TOKENS_REVOKED = "tokens_revoked"
"""The signal of commits that end a session or raise a token version (:func:`api.kernel.db.signal_commit`)."""


class User(Edited, Model):
    """A person. A user without a verified address, such as an imported voter, cannot log in.

    Every access token contains `token_version`: raising it invalidates all tokens that were issued before.
    """

    __tablename__ = "users"

    id: Mapped[PrimaryKey]
    email: Mapped[str | None] = mapped_column()
    display_name: Mapped[str]
    password_hash: Mapped[str | None]
    roles: Mapped[list[str]] = mapped_column(default=list)
    permissions: Mapped[list[str]] = mapped_column(default=list)
    is_active: Mapped[bool] = mapped_column(default=True)
    deleted_at: Mapped[datetime | None]
    is_imported: Mapped[bool] = mapped_column(default=False)
    token_version: Mapped[int] = mapped_column(default=0)
    email_verified_at: Mapped[datetime | None]
    password_changed_at: Mapped[datetime | None]
    language: Mapped[str | None]
    time_zone: Mapped[str | None]
    department: Mapped[str | None]
    external_id: Mapped[str | None] = mapped_column()

    __table_args__ = (
        Index("uq_users_email_lower", func.lower(email), unique=True),
        Index("uq_users_external_id", external_id, unique=True),
    )


class EarlierPassword(Model):
    """The hash of a password that a user had before."""

    __tablename__ = "earlier_passwords"

    id: Mapped[PrimaryKey]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"), index=True)
    password_hash: Mapped[str]
    replaced_at: Mapped[datetime] = mapped_column(default=clock.now)


class UserSession(Model):
    """One log-in, from the password to the log-out. All tokens that are issued in it end with it.

    `kind` is `token` (refresh tokens, for programs) or `browser` (one cookie, for the dashboards). `authenticated_at` is
    when its user last proved who they are, `second_factor_at` when they last used a second factor or a passkey.
    """

    __tablename__ = "sessions"

    id: Mapped[PrimaryKey]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"), index=True)
    kind: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    address: Mapped[str | None]
    agent: Mapped[str | None]
    last_used_at: Mapped[datetime] = mapped_column(default=clock.now)
    authenticated_at: Mapped[datetime] = mapped_column(default=clock.now)
    second_factor_at: Mapped[datetime | None]


class SessionToken(Model):
    """A secret that was issued in a session; only its SHA-256 is stored. A refresh token can be used once."""

    __tablename__ = "session_tokens"

    id: Mapped[PrimaryKey]
    session_id: Mapped[UUID] = mapped_column(ForeignKey("app.sessions.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    issued_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class AccountMail(Model):
    """A mail about an account, and the link in it; see :mod:`api.auth.account_mails`."""

    __tablename__ = "account_mails"

    id: Mapped[PrimaryKey]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.users.id"), index=True)
    purpose: Mapped[str]
    email: Mapped[str | None]
    challenge_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.log_in_challenges.id", ondelete="CASCADE"))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    prepared_at: Mapped[datetime | None]
    sent_at: Mapped[datetime | None]
    secret_hash: Mapped[bytes | None] = mapped_column(unique=True)
    expires_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]

    __table_args__ = (Index("ix_account_mails_challenge_id", challenge_id, postgresql_where=challenge_id.is_not(None)),)


class StoredKey(Model):
    """A key that signs access tokens; see :mod:`api.auth.keys`."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(primary_key=True)
    public_key: Mapped[bytes]
    encrypted_private_key: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    signs_from: Mapped[datetime]
    accepted_until: Mapped[datetime | None]
