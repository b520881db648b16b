"""Tables of service accounts and of API tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ForeignKey, Index, func
from sqlalchemy.orm import Mapped, mapped_column

from api.kernel import clock
from api.kernel.db import Edited, Model, PrimaryKey


class ServiceAccount(Edited, Model):
    """A program that calls the API with rights of its own: the permissions that its scopes name, in the whole installation.

    It is no user: it has no password, no coins, no ideas and no memberships.
    """

    __tablename__ = "service_accounts"

    id: Mapped[PrimaryKey]
    name: Mapped[str] = mapped_column()
    scopes: Mapped[list[str]]
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("app.users.id"), index=True)
    is_active: Mapped[bool] = mapped_column(default=True)
    token_version: Mapped[int] = mapped_column(default=0)

    __table_args__ = (Index("uq_service_accounts_name_lower", func.lower(name), unique=True),)


class ApiToken(Model):
    """A token of a user or of a service account; only its SHA-256 is stored. `prefix` is its start, to recognise it."""

    __tablename__ = "api_tokens"

    id: Mapped[PrimaryKey]
    user_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.users.id"), index=True)
    service_account_id: Mapped[UUID | None] = mapped_column(ForeignKey("app.service_accounts.id"), index=True)
    name: Mapped[str]
    prefix: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    created_by: Mapped[UUID | None]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_by: Mapped[UUID | None]
