"""Responses to readings: entity tags, conditional requests, compression, and how long they may be kept.

Only whole bodies in memory are tagged and compressed, so streams are sent as they are. A response that may not be stored
(`no-store`) is neither: tokens and forms have secrets next to input that an attacker can choose, and the length of a
compressed body would disclose them (BREACH).
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import zlib
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.responses import Response

from api.kernel.preconditions import find_version

if TYPE_CHECKING:
    from starlette.datastructures import Headers, MutableHeaders

COMPRESSED_BYTES_MIN: Final = 1024
"""A smaller body fits into one packet in any case."""
_LEVEL = 6  # 9 takes twice as long for 5% less of a page of ideas
# a longer body is compressed in a thread, which other requests do not wait for
_IN_THREAD_BYTES_MIN = 65_536
_GZIP = 16 + zlib.MAX_WBITS
_COMPRESSIBLE = re.compile(r"application/(?:[a-z0-9.-]+\+)?json|text/[a-z]+|image/svg\+xml")
_TAG = re.compile(r'(?:W/)?"[^"]*"')
# headers of a 304 response (RFC 9110, section 15.4.5)
_KEPT_HEADERS = ("cache-control", "content-location", "etag", "expires", "vary")
REVALIDATED: Final = "private, no-cache"
"""The browser may keep the response, and asks each time whether it is still current."""

NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "The response is the one that the client has: its `ETag` is in the header `If-None-Match`."}
}


def json_text(name: str, items: str, body: dict[str, Any]) -> Response:
    """A response of JSON that fits the route's declared model, with an array in front, whose items are JSON text joined by commas.

    Pages that are read often are not validated again.
    """
    rest = orjson.dumps(body, option=orjson.OPT_UTC_Z)
    content = b"".join((b'{"', name.encode(), b'":[', items.encode(), b"],", rest[1:]))
    return Response(content, media_type="application/json")


async def finish(response: Response, asked: Headers, varies_by: tuple[str, ...]) -> Response:
    """The response to a reading as it is sent, given the headers of the request and those on which the content depends."""
    headers = response.headers
    _vary(headers, varies_by)
    if "cache-control" not in headers:
        headers["Cache-Control"] = REVALIDATED
    body: bytes | None = getattr(response, "body", None)
    if response.status_code != HTTPStatus.OK or not body or "no-store" in headers["cache-control"]:
        return response
    version = find_version(headers)
    if "etag" not in headers or version is not None:
        # weak, since the compressed body has the same tag
        digest = hashlib.blake2b(body, digest_size=16).hexdigest()
        headers["ETag"] = f'W/"{digest}"' if version is None else f'W/"{version}.{digest}"'
    is_compressible = _is_compressible(headers, body)
    if is_compressible:
        _vary(headers, ("Accept-Encoding",))
    if is_current(asked.get("if-none-match"), headers["etag"]):
        return Response(
            None, HTTPStatus.NOT_MODIFIED, {name: headers[name] for name in _KEPT_HEADERS if name in headers}
        )
    if is_compressible and accepts_gzip(asked.get("accept-encoding", "")):
        compressed = await asyncio.to_thread(_gzip, body) if len(body) >= _IN_THREAD_BYTES_MIN else _gzip(body)
        response.body = compressed
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(compressed))
    return response


def is_current(if_none_match: str | None, etag: str) -> bool:
    """Whether the client has the response with this tag, compared weakly (RFC 9110, section 13.1.2)."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == "*":
        return True
    return etag.removeprefix("W/") in {tag.removeprefix("W/") for tag in _TAG.findall(if_none_match)}


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the client accepts gzip: it names it, or everything, and not with the weight 0."""
    weights = {}
    for part in accept_encoding.lower().split(","):
        name, *parameters = (each.strip() for each in part.split(";"))
        weight = next((each[2:] for each in parameters if each.startswith("q=")), "1")
        weights[name] = not re.fullmatch(r"0(?:\.0*)?", weight.strip())
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", False)))


def _is_compressible(headers: MutableHeaders, body: bytes) -> bool:
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    return (
        len(body) >= COMPRESSED_BYTES_MIN
        and "content-encoding" not in headers
        and _COMPRESSIBLE.fullmatch(media_type) is not None
    )


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return compressor.compress(body) + compressor.flush()


def _vary(headers: MutableHeaders, names: tuple[str, ...]) -> None:
    given = [each.strip() for each in headers.get("vary", "").split(",") if each.strip()]
    added = [name for name in names if name.lower() not in {each.lower() for each in given}]
    if added:
        headers["Vary"] = ", ".join([*given, *added])
