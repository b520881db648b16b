"""The revoked sessions and token versions that a process keeps in memory, so that a request needs no query.

An access token is valid until it expires unless its session has ended or the user's token version was raised. Triggers
record both in `app.token_revocations`. A process reads all revocations of the last token lifetime when it connects, and
the new ones every `REFRESH_S` seconds with one query. A set that was read more than `AGE_MAX_S` seconds ago is not used:
then each request asks the database, and fails if the database does not answer.

New rows are found by transaction id: a row that one query did not see has an id that is not below the xmin of that
query's snapshot, so the next query starts there.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from uuid import UUID

import psycopg
import structlog

from api.auth.models import TOKENS_REVOKED
from api.auth.sessions import is_session_open
from api.kernel.background import running
from settings.auth import ACCESS_TOKEN_TTL_MAX_S

if TYPE_CHECKING:
    from api.auth.tokens import Claims
    from api.kernel.db import Database

log = structlog.get_logger(__name__)

REFRESH_S = 0.5
AGE_MAX_S = 1.0
# A revocation is recorded in its transaction, which may commit later than its `revoked_at`.
COMMIT_S_MAX = 600
# of the longest lifetime: the setting may have been larger when a token was issued
KEPT_S = ACCESS_TOKEN_TTL_MAX_S + COMMIT_S_MAX

# one statement, so that rows and watermark are of the same snapshot
_READ = """
    SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint, r.user_id, r.session_id, r.token_version
    FROM (VALUES (1)) AS one LEFT JOIN app.token_revocations AS r
        ON r.xid >= %s::text::xid8 AND r.revoked_at > now() - make_interval(secs => %s)
"""


class Revocations:
    """The revocations that concern access tokens which have not expired."""

    def __init__(self, database: Database, now: Callable[[], float] = time.monotonic) -> None:
        """`now` returns seconds."""
        self._database = database
        self._now = now
        self._read_at = -float("inf")
        self._changed_at = -float("inf")
        # each with the time at which it is forgotten, the earliest first
        self._sessions: OrderedDict[UUID, float] = OrderedDict()
        self._versions: OrderedDict[UUID, tuple[int, float]] = OrderedDict()
        database.on_commit(TOKENS_REVOKED, self.expire)

    @property
    def is_current(self) -> bool:
        """Whether the set was read during the last `AGE_MAX_S` seconds, and after the last revocation of this process."""
        return self._read_at >= self._changed_at and self._now() - self._read_at <= AGE_MAX_S

    def expire(self) -> None:
        """Do not use the set before it is read again: this process has committed a revocation."""
        self._changed_at = self._now()

    async def is_revoked(self, claims: Claims) -> bool:
        """Whether the token's session has ended or its version is no longer valid; asks the database if the set is old.

        Raises:
            SQLAlchemyError: the set is old and the database does not answer.
        """
        if self.is_current:
            return self.contains(claims)
        async with self._database.session() as session:
            return not await is_session_open(
                session, claims.session_id, user_id=claims.user_id, token_version=claims.token_version
            )

    def contains(self, claims: Claims) -> bool:
        """Whether the set contains the token's session, or a later version than the token's."""
        version = self._versions.get(claims.user_id)
        return claims.session_id in self._sessions or (version is not None and claims.token_version < version[0])

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Keep the set current while the block lasts, on a connection of its own."""
        async with running(self._follow(), name="token revocations"):
            yield

    async def _follow(self) -> None:
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._database.url, autocommit=True, **self._database.connect_args
                ) as connection:
                    since = 0
                    while True:
                        since = await self.read(connection, since)
                        await asyncio.sleep(REFRESH_S)
            except Exception as error:  # any failure only makes the set old
                is_expected = isinstance(error, (psycopg.Error, OSError))
                log.warning("token revocations are not readable", error=str(error), exc_info=not is_expected)
                await asyncio.sleep(REFRESH_S)

    async def read(self, connection: psycopg.AsyncConnection, since: int) -> int:
        """Add the revocations of transactions from `since` on, or all with 0; returns where the next read starts."""
        started_at = self._now()
        rows = await (await connection.execute(_READ, (since, KEPT_S))).fetchall()
        forgotten_at = self._now() + KEPT_S
        for _, user_id, session_id, version in rows:
            if session_id is not None:
                self._sessions[session_id] = forgotten_at
                self._sessions.move_to_end(session_id)
            elif user_id is not None:
                known, _ = self._versions.get(user_id, (version, 0.0))
                self._versions[user_id] = (max(known, version), forgotten_at)
                self._versions.move_to_end(user_id)
        self._forget()
        self._read_at = started_at
        return int(rows[0][0])

    def _forget(self) -> None:
        now = self._now()
        while self._sessions and next(iter(self._sessions.values())) < now:
            self._sessions.popitem(last=False)
        while self._versions and next(iter(self._versions.values()))[1] < now:
            self._versions.popitem(last=False)
