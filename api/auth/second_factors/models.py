"""Tables of second factors, and of log-ins that wait for one."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Model, PrimaryKey


class AuthenticatorApp(Model):
    """The secret that a user's authenticator app shares with this installation, encrypted.

    `last_step` is the time step of the last accepted code: each code is accepted once. Until `confirmed_at` no code is
    asked for.
    """

    __tablename__ = "authenticator_apps"

    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"), primary_key=True)
    encrypted_secret: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(BigInteger, default=0)


class RecoveryCode(Model):
    """A code for a user who has lost their other factors; only its SHA-256 is stored, and it can be used once."""

    __tablename__ = "recovery_codes"

    id: Mapped[PrimaryKey]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"))
    code_hash: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    used_at: Mapped[datetime | None]

    __table_args__ = (UniqueConstraint("user_id", "code_hash", name="uq_recovery_codes_user_id"),)


class Passkey(Model):
    """The public key of a user's passkey (WebAuthn)."""

    __tablename__ = "passkeys"

    id: Mapped[PrimaryKey]
    user_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"), index=True)
    credential_id: Mapped[bytes] = mapped_column(unique=True)
    public_key: Mapped[bytes]
    sign_count: Mapped[int] = mapped_column(BigInteger)
    name: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_used_at: Mapped[datetime | None]


class LogInChallenge(Model):
    """A log-in that waits for its second step, or the challenge that a passkey signs.

    The client has the secret, of which the SHA-256 is stored. `password_changed_at` is the user's when the password was
    checked: a change of the password voids the challenge.
    """

    __tablename__ = "log_in_challenges"

    id: Mapped[PrimaryKey]
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    purpose: Mapped[str]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.users.id"), index=True)
    password_changed_at: Mapped[datetime | None]
    webauthn_challenge: Mapped[bytes]
    mail_code_hash: Mapped[bytes | None]
    failures: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]
