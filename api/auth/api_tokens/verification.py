"""Recognises API tokens. The rule of revocations is that of access tokens (decision 0029).

A token that was read from the database is kept in memory for `CACHED_S` seconds. While the set of revocations of the process
is current, a kept token is accepted without a query unless the set contains it: then, and while the set is old, the database
is asked. So a token that was revoked, or whose owner was deactivated or has other rights, is refused or has the new rights
within a second, and no token is accepted unchecked.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import structlog
from sqlalchemy import RowMapping, text
from sqlalchemy.exc import SQLAlchemyError

from api.auth.api_tokens.secrets import is_well_formed
from api.auth.errors import TokenInvalid
from api.auth.revocations import KEPT_S
from api.auth.rights import Rights, effective_rights
from api.auth.tokens import Claims
from api.kernel import clock
from api.kernel.background import running
from api.kernel.stored_secrets import hash_secret

if TYPE_CHECKING:
    from api.auth.revocations import Revocations
    from api.kernel.db import Database
    from settings import Settings

log = structlog.get_logger(__name__)

# A revocation is forgotten after `KEPT_S`; a token must have been read from the database again by then.
CACHED_S = 300
assert CACHED_S < KEPT_S
KNOWN_MAX = 10_000
USES_WRITTEN_S = 5
USE_INTERVAL_S = 60

_EXPIRED = "The API token has expired; create another one."
_INVALID = "The API token is unknown, was revoked, or its owner is deactivated; create another one."

_READ = text(
    """
    SELECT t.id, coalesce(t.user_id, t.service_account_id) AS owner_id, t.service_account_id IS NOT NULL AS is_service,
        t.scopes, t.expires_at, t.last_used_at, u.roles, u.permissions, s.scopes AS account_scopes,
        coalesce(u.token_version, s.token_version) AS token_version,
        EXISTS (SELECT FROM app.authenticator_apps AS a WHERE a.user_id = u.id AND a.confirmed_at IS NOT NULL)
        OR EXISTS (SELECT FROM app.passkeys AS p WHERE p.user_id = u.id)
        OR EXISTS (SELECT FROM app.identities AS i WHERE i.user_id = u.id) AS has_second_factor
    FROM app.api_tokens AS t
    LEFT JOIN app.users AS u ON u.id = t.user_id
    LEFT JOIN app.service_accounts AS s ON s.id = t.service_account_id
    WHERE t.token_hash = :token_hash AND t.revoked_at IS NULL AND coalesce(u.is_active, s.is_active)
    """
)
_WRITE_USES = text(
    """
    UPDATE app.api_tokens AS t SET last_used_at = u.used_at
    FROM unnest(CAST(:ids AS uuid[]), CAST(:used_at AS timestamptz[])) AS u (id, used_at)
    WHERE t.id = u.id AND (t.last_used_at IS NULL OR t.last_used_at < u.used_at - make_interval(secs => :interval_s))
    """
)


@dataclass
class _Known:
    """A token as it was read: `read_at` in seconds of the process's clock, `noted_at` of the last use to be written."""

    claims: Claims
    read_at: float
    noted_at: datetime | None


class ApiTokens:
    """Reads API tokens, keeps the last ones in memory, and records when they are used."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        revocations: Revocations,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`now` returns seconds."""
        self._settings = settings
        self._database = database
        self._revocations = revocations
        self._now = now
        self._known: dict[bytes, _Known] = {}
        self._uses: dict[UUID, datetime] = {}

    async def read(self, token: str) -> Claims:
        """The owner's rights and the token's scopes.

        Raises:
            TokenInvalid: there is no such token, it has expired or was revoked, or its owner is deactivated.
            SQLAlchemyError: the database must be asked and does not answer.
        """
        token_hash = hash_secret(token)
        known = self._known.get(token_hash)
        if known is None and not is_well_formed(token):
            raise TokenInvalid(_INVALID)
        if known is None or not self._is_current(known):
            known = await self._read(token_hash, known)
        if known.claims.expires_at <= clock.now().timestamp():
            raise TokenInvalid(_EXPIRED)
        self._note_use(known)
        return known.claims

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Write the times of use while the block lasts."""
        async with running(self._follow(), name="uses of API tokens"):
            yield

    async def write_uses(self) -> None:
        """Write when tokens were used: for each token at most once in `USE_INTERVAL_S` seconds, over all processes."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        values = {"ids": list(uses), "used_at": list(uses.values()), "interval_s": USE_INTERVAL_S}
        async with self._database.session() as session:
            await session.execute(_WRITE_USES, values)

    def _is_current(self, known: _Known) -> bool:
        return (
            self._revocations.is_current
            and self._now() - known.read_at <= CACHED_S
            and not self._revocations.contains(known.claims)
        )

    async def _read(self, token_hash: bytes, known: _Known | None) -> _Known:
        read_at = self._now()
        self._known.pop(token_hash, None)
        async with self._database.reading() as session:
            row = (await session.execute(_READ, {"token_hash": token_hash})).mappings().one_or_none()
        if row is None:
            raise TokenInvalid(_INVALID)
        found = _Known(self._claims(row), read_at, known.noted_at if known else row["last_used_at"])
        if len(self._known) >= KNOWN_MAX:
            del self._known[next(iter(self._known))]
        self._known[token_hash] = found
        return found

    def _claims(self, row: RowMapping) -> Claims:
        scopes = frozenset(row["scopes"])
        if row["is_service"]:
            scopes &= frozenset(row["account_scopes"])
            rights = Rights(frozenset(), frozenset(row["account_scopes"]))  # scopes are names of permissions
        else:
            has_second_factor = row["has_second_factor"]
            rights = effective_rights(
                self._settings, row["roles"], row["permissions"], has_second_factor=has_second_factor
            )
        return Claims(
            user_id=row["owner_id"],
            session_id=row["id"],
            roles=rights.roles,
            permissions=rights.permissions,
            token_version=row["token_version"],
            expires_at=row["expires_at"].timestamp(),
            kid="",
            scopes=scopes,
        )

    def _note_use(self, known: _Known) -> None:
        now = clock.now()
        if known.noted_at is None or (now - known.noted_at).total_seconds() >= USE_INTERVAL_S:
            known.noted_at = now
            self._uses[known.claims.session_id] = now

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(USES_WRITTEN_S)
            try:
                await self.write_uses()
            except (SQLAlchemyError, psycopg.Error, OSError) as error:  # the next use is written
                log.warning("uses of API tokens are not written", error=str(error))
