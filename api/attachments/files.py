"""Responses that have the content of a stored file."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final
from urllib.parse import quote

from fastapi import Query, Response

from api.attachments.formats import PICTURES, Format
from api.attachments.pictures import WIDTHS, Variant

# a file that a browser opens in spite of its headers may load nothing and run nothing
_POLICY = "sandbox; default-src 'none'; frame-ancestors 'none'"
_PICTURE_TYPES = frozenset(each.media_type for each in PICTURES)
BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
FILE_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The file", "content": {each.media_type: BINARY for each in Format}}
}
PICTURE_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "The picture", "content": dict.fromkeys(sorted(_PICTURE_TYPES), BINARY)}
}


class Width(StrEnum):
    """A width in pixels of a picture."""

    SMALL = str(WIDTHS[Variant.SMALL])
    LARGE = str(WIDTHS[Variant.LARGE])


PictureWidth = Annotated[
    Width | None, Query(description="a smaller size of a picture; the picture itself if it is not wider")
]
VARIANT_OF: Final = {None: Variant.ORIGINAL, Width.SMALL: Variant.SMALL, Width.LARGE: Variant.LARGE}


def file_response(data: bytes, media_type: str, name: str, headers: dict[str, str] | None = None) -> Response:
    """The response with a file. Browsers may show pictures, and only store other files."""
    disposition = "inline" if media_type in _PICTURE_TYPES else "attachment"
    return Response(
        data,
        headers={
            "Content-Type": media_type,
            "Content-Disposition": f"{disposition}; filename*=UTF-8''{quote(name, safe='')}",
            "Content-Security-Policy": _POLICY,
            "X-Content-Type-Options": "nosniff",
            **(headers or {}),
        },
    )
