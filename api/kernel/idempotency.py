"""Responses stored for `Idempotency-Key`, in the transaction of their command.

The header is optional on every write of an authenticated caller. Only a successful response is stored: a replay within
7 days returns it with the header `Idempotency-Replayed`; the same key with another request is 422. The keys of coin
commands are separate and are kept in the ledger permanently; routes that issue tokens ignore the header.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import SmallInteger, select, text
from sqlalchemy.orm import Mapped, mapped_column
from starlette.requests import Request
from starlette.responses import Response

from api.kernel import clock
from api.kernel.contract import raises
from api.kernel.db import Model
from api.kernel.errors import DomainError

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
DRY_RUN = "dry_run"
KEY_LENGTH_MAX = 255
_KEPT_HEADERS = ("content-type", "location")


class KeyReused(DomainError):
    """The key was used for another request."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    slug = "idempotency-key-reused"
    title = "The idempotency key was used for another request"


class BadKey(DomainError):
    """The key is missing where it is required, or malformed."""

    status = HTTPStatus.BAD_REQUEST
    slug = "idempotency-key"
    title = "The idempotency key is missing or malformed"


PROBLEMS = frozenset({BadKey.problem_type(), KeyReused.problem_type()})


def describe_key(*, is_required: bool) -> dict[str, Any]:
    """The OpenAPI parameter of the header. A dry run, which writes nothing, needs none in any case."""
    return {
        "name": HEADER,
        "in": "header",
        "required": is_required,
        "description": "Chosen by the client: new for each command, the same for a retry. Not read in a dry run",
        "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX, "pattern": "^[ -~]+$"},
    }


class IdempotentResponse(Model):
    """The first successful response to a key."""

    __tablename__ = "idempotent_responses"

    user_id: Mapped[UUID] = mapped_column(primary_key=True)
    route: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[bytes]
    status_code: Mapped[int] = mapped_column(SmallInteger())
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class Replay(Exception):
    """The request succeeded before; has its stored response."""

    def __init__(self, response: Response) -> None:
        """`response` is sent as it is."""
        super().__init__()
        self.response = response


@dataclass(frozen=True)
class Pending:
    """The key of a first request; its response is stored if the request succeeds."""

    user_id: UUID
    route: str
    key: str
    request_hash: bytes


def check_key(key: str) -> str:
    """The key as it is.

    Raises:
        BadKey: it is not 1 to 255 printable ASCII characters.
    """
    if not (1 <= len(key) <= KEY_LENGTH_MAX and key.isascii() and key.isprintable()):
        msg = f"{HEADER} must be 1 to {KEY_LENGTH_MAX} printable ASCII characters."
        raise BadKey(msg)
    return key


def hash_of(method: str, path: str, query: str, body: bytes) -> bytes:
    """SHA-256 over method, path, query and body, which identify a request."""
    return hashlib.sha256(f"{method} {path}?{query}\n".encode() + body).digest()


async def hash_request(request: Request) -> bytes:
    """:func:`hash_of` a request whose body may not have been read yet."""
    return hash_of(request.method, request.url.path, request.url.query, await request.body())


def is_dry_run(request: Request) -> bool:
    """Whether the request is a dry run: its route declares the parameter, and the work is rolled back. It takes no key."""
    return getattr(request.state, "is_dry_run", False)


async def begin(request: Request, session: AsyncSession, user_id: UUID) -> None:
    """Look up the request's key after authentication, and hold the key's lock until the transaction ends.

    Raises:
        Replay: the same request succeeded before.
        KeyReused: another request succeeded with the same key.
    """
    key = request.headers.get(HEADER)
    if key is None or is_dry_run(request):
        return
    check_key(key)
    route = f"{request.method} {request.url.path}"
    request_hash = await hash_request(request)
    await session.execute(
        text("SELECT pg_advisory_xact_lock(hashtextextended(:scope, 1))"), {"scope": f"{user_id} {route} {key}"}
    )
    kept = await session.scalar(select(IdempotentResponse).filter_by(user_id=user_id, route=route, key=key))
    if kept is None:
        request.state.idempotency = Pending(user_id, route, key, request_hash)
        return
    if kept.request_hash != request_hash:
        msg = "This key was used for a request with another body; use a new key for each command."
        raise KeyReused(msg)
    raise Replay(Response(kept.body, kept.status_code, {**kept.headers, REPLAYED: "true"}))


async def bind(request: Request, session: AsyncSession) -> None:
    """Store the response in the transaction of its request."""
    pending: Pending | None = getattr(request.state, "idempotency", None)
    response: Response | None = getattr(request.state, "response", None)
    if pending is None or response is None or response.status_code >= HTTPStatus.BAD_REQUEST:
        return
    session.add(
        IdempotentResponse(
            user_id=pending.user_id,
            route=pending.route,
            key=pending.key,
            request_hash=pending.request_hash,
            status_code=response.status_code,
            headers={name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers},
            body=bytes(response.body),
        )
    )
    await session.flush()


@raises(BadKey, KeyReused)
async def required_key(request: Request) -> str:
    """The key of a command that must not be repeated by accident; empty in a dry run.

    Raises:
        BadKey: it is missing or malformed.
    """
    if is_dry_run(request):
        return ""
    key = request.headers.get(HEADER)
    if key is None:
        msg = "This command requires the header Idempotency-Key: a new key for each command, the same key for a retry."
        raise BadKey(msg)
    return check_key(key)
