"""Errors of attachments."""

from __future__ import annotations

from http import HTTPStatus
from typing import ClassVar

from api.kernel.errors import DomainError, InvalidInput, NotFound


class AttachmentNotFound(NotFound):
    """The idea has no such attachment."""

    slug = "attachment-not-found"
    title = "No such attachment"


class CoverNotFound(NotFound):
    """The campaign has no cover picture."""

    slug = "cover-not-found"
    title = "No cover picture"


class UnsupportedFile(InvalidInput):
    """The content of the file is of a type that cannot be attached; `accepted` lists the possible ones."""

    slug = "unsupported-file"
    title = "The file cannot be attached"


class UnreadablePicture(InvalidInput):
    """The picture is truncated or damaged."""

    slug = "unreadable-picture"
    title = "The picture cannot be read"


class PictureTooLarge(InvalidInput):
    """The picture has more than `pixels_max` pixels, a side above `side_max`, or is too long after its conversion."""

    slug = "picture-too-large"
    title = "The picture is too large"


class TooManyAttachments(DomainError):
    """The idea has `attachments_max` attachments, or they have more than `bytes_max` bytes in total."""

    slug = "too-many-attachments"
    title = "The idea has too many attachments"


class UploadsBusy(DomainError):
    """More uploads are waiting than this process can examine soon."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    slug = "uploads-busy"
    title = "Too many uploads at the same time"
    headers: ClassVar[dict[str, str]] = {"Retry-After": "5"}

    def __init__(self) -> None:
        super().__init__("Too many files are being uploaded at the moment; try again shortly.")
