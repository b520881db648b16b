"""Fast path for coin commands: ASGI middleware before routing.

FastAPI takes almost a millisecond to route and validate a request; its command takes the ledger a tenth of that. So a
`POST` of `/coins/allocate` or `/coins/reallocate` without a query and with a small JSON body is parsed here with the
same schemas and carried out by the same functions. Any other request (another content type, a dry run, a missing
header, a body that does not fit the schema) is passed on to the routes, which carry it out or report the error.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from uuid import UUID

from pydantic import ValidationError
from starlette.requests import Request

from api.auth.dependencies import check_scopes
from api.auth.errors import ScopeMissing, TokenInvalid
from api.coins.commands import execution
from api.coins.dependencies import MOVE_COINS
from api.coins.schemas import AllocateCoins, ReallocateCoins
from api.kernel import idempotency, origins, problems

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from api.auth.tokens import AccessTokens
    from api.coins.commands.execution import MemberCommands
    from api.coins.commands.moves import Move

# a command has about 150 bytes
BODY_BYTES_MAX = 4096
_BEARER = "bearer "
_KEY = idempotency.HEADER.lower().encode()
_READ_HEADERS = frozenset({b"authorization", b"content-type", b"content-length", _KEY})


class FastPath:
    """Middleware between `RequestContext` and the routes.

    The access rule is that of the routes: the token is verified here, the wallet is checked by the ledger.
    """

    rule = MOVE_COINS

    def __init__(self, app: ASGIApp, prefix: str, access_tokens: AccessTokens, commands: MemberCommands) -> None:
        """Wrap `app`, whose coin commands are under `prefix`."""
        self._app = app
        self._prefix = prefix
        self._access_tokens = access_tokens
        self._commands = commands
        self._path = re.compile(rf"{re.escape(prefix)}/campaigns/([0-9a-f-]{{36}})/coins/(allocate|reallocate)")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond to a coin command; pass every other request on unchanged."""
        found = self._path.fullmatch(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if found is None or scope["query_string"]:
            await self._app(scope, receive, send)
            return
        headers = {name: value.decode("latin-1") for name, value in reversed(scope["headers"]) if name in _READ_HEADERS}
        if not _is_small_json(headers):
            await self._app(scope, receive, send)
            return
        body, receive_again = await _read(receive)
        movement = None
        try:
            move = None if body is None else await self._parse(scope, headers, found[1], found[2], body)
            if move is not None:
                scope["state"]["route"] = f"{self._prefix}/campaigns/{{campaign_id}}/coins/{found[2]}"
                movement = await self._commands.carry_out(move)
        except Exception as error:  # noqa: BLE001 - unexpected errors are raised again
            response = await problems.respond(Request(scope), error)
            await response(scope, receive, send)
            return
        if movement is None:
            await self._app(scope, receive_again, send)
            return
        await send(
            {
                "type": "http.response.start",
                "status": HTTPStatus.CREATED,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(movement.body)).encode()),
                    *((name.lower().encode(), value.encode()) for name, value in movement.headers.items()),
                ],
            }
        )
        await send({"type": "http.response.body", "body": movement.body})

    async def _parse(
        self, scope: Scope, headers: dict[bytes, str], campaign: str, verb: str, body: bytes
    ) -> Move | None:
        """The command in the request; None for an invalid request, whose errors the routes report."""
        authorization = headers.get(b"authorization", "")
        if authorization[: len(_BEARER)].lower() != _BEARER:
            return None
        try:
            claims = await self._access_tokens.read(authorization[len(_BEARER) :].strip())
            check_scopes(claims, self.rule, is_write=True)
            key = idempotency.check_key(headers.get(_KEY, ""))
            campaign_id = UUID(campaign)
            command = (AllocateCoins if verb == "allocate" else ReallocateCoins).model_validate_json(body)
        except (TokenInvalid, ScopeMissing, idempotency.BadKey, ValidationError, ValueError):
            return None
        origins.identify(claims.user_id, claims.token_id)
        scope["state"]["operation"] = f"{verb}Coins"
        request_hash = idempotency.hash_of("POST", scope["path"], "", body)
        return execution.as_move(command, campaign_id, claims.user_id, key, request_hash, scope["state"]["request_id"])


def _is_small_json(headers: dict[bytes, str]) -> bool:
    length = headers.get(b"content-length", "")
    return (
        headers.get(b"content-type", "").partition(";")[0].strip().lower() == "application/json"
        and length.isdecimal()
        and int(length) <= BODY_BYTES_MAX
    )


async def _read(receive: Receive) -> tuple[bytes | None, Receive]:
    """The whole body (None if the client disconnected), and a `receive` that returns it again."""
    messages: list[Message] = []
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request" or not message.get("more_body", False):
            break
    is_whole = messages[-1]["type"] == "http.request"
    body = b"".join(message.get("body", b"") for message in messages) if is_whole else None
    waiting = iter(messages)

    async def again() -> Message:
        return next(waiting, None) or await receive()

    return body, again
