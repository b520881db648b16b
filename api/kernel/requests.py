"""Checks of query parameters, headers and the media type of the body.

A misspelt name is refused, since ignoring it would change what a command does.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from rapidfuzz import process
from rapidfuzz.distance import OSA

from api.kernel.errors import DomainError, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
JSON = "application/json"
TRUE_TEXTS = frozenset({"true", "1", "on", "yes", "t", "y"})
# Headers that change what a write does.
_WRITE_HEADERS = {"idempotencykey": "Idempotency-Key", "ifmatch": "If-Match"}
_SIMILAR_MIN = 0.5


class UnknownParameter(InvalidInput):
    """The route has no query parameter of this name; `parameter` and `nearest` name it and the most similar one."""

    slug = "unknown-parameter"
    title = "Unknown query parameter"


class MisspeltHeader(DomainError):
    """A header of a write is almost the name of one that the API reads; `header` and `nearest` name both."""

    status = HTTPStatus.BAD_REQUEST
    slug = "misspelt-header"
    title = "A header's name is misspelt"


class UnsupportedMediaType(DomainError):
    """The body has another media type than those that the route reads, which `accepted` lists."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    slug = "unsupported-media-type"
    title = "The media type of the body is not supported"


def check_media_type(headers: Mapping[str, str], accepted: Collection[str]) -> None:
    """Refuse a body that is not of one of these media types; types of JSON with a suffix count as JSON.

    Raises:
        UnsupportedMediaType: it is of another type, or of none.
    """
    given = headers.get("content-type", "").partition(";")[0].strip().lower()
    if given in accepted or (given.startswith("application/") and given.endswith("+json") and JSON in accepted):
        return
    if not given and headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return  # there is no body
    found = f"has the media type {given[:100]}" if given else "has no media type"
    msg = f"The body {found}; the header Content-Type must be {' or '.join(sorted(accepted))}."
    raise UnsupportedMediaType(msg, accepted=sorted(accepted))


def check_parameters(given: Iterable[str], known: Collection[str]) -> None:
    """Refuse a query parameter that the route does not declare.

    Raises:
        UnknownParameter: there is one.
    """
    for name in given:
        if name in known:
            continue
        found = process.extractOne(name, known, scorer=OSA.normalized_similarity, score_cutoff=_SIMILAR_MIN)
        nearest = found[0] if found else None
        if nearest:
            hint = f"Did you mean {nearest}?"
        elif known:
            hint = f"Known ones are {', '.join(sorted(known))}."
        else:
            hint = "The route has none."
        msg = f"There is no query parameter {name[:100]!r}. {hint}"
        raise UnknownParameter(msg, parameter=name[:100], nearest=nearest)


def check_headers(names: Iterable[str]) -> None:
    """Refuse a header of a write that differs from a known one by separators, a prefix `X-` or one letter.

    Raises:
        MisspeltHeader: there is one.
    """
    for name in names:
        plain = name.lower().removeprefix("x-").replace("-", "").replace("_", "")
        for known, header in _WRITE_HEADERS.items():
            if OSA.distance(plain, known, score_cutoff=1) <= 1 and name.lower() != header.lower():
                msg = f"The header {name} is not read. Did you mean {header}?"
                raise MisspeltHeader(msg, header=name, nearest=header)
