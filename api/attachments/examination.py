"""Examines uploads in threads, a limited number at the same time."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.attachments.errors import UploadsBusy
from api.attachments.formats import Format, file_name, find_format
from api.attachments.pictures import Picture, Variant, convert
from api.kernel.bulkhead import Bulkhead, BulkheadFull

if TYPE_CHECKING:
    from settings.storage import StorageSettings

_WAITING_MAX = 20
# a converted picture can be longer than the upload
_GROWTH_MAX = 2


@dataclass(frozen=True)
class Examined:
    """A file that can be attached: its name, its type, and what is stored."""

    name: str
    format: Format
    picture: Picture | None
    variants: dict[Variant, bytes]
    sha256: bytes

    @property
    def size_bytes(self) -> int:
        """The length of the stored original."""
        return len(self.variants[Variant.ORIGINAL])


class Examination:
    """Examines the uploads of one process."""

    def __init__(self, settings: StorageSettings) -> None:
        """The limits are those of the settings."""
        self._settings = settings
        self._bulkhead = Bulkhead(settings.pictures_at_once, _WAITING_MAX)

    async def examine(self, data: bytes, name: str) -> Examined:
        """Find the type of a file by its content, and convert a picture.

        Raises:
            UnsupportedFile: files of this type cannot be attached.
            UnreadablePicture: the picture is truncated or damaged.
            PictureTooLarge: the picture has too many pixels.
            UploadsBusy: too many uploads are waiting.
        """
        try:
            async with self._bulkhead.slot():
                return await asyncio.to_thread(self._examine, data, name)
        except BulkheadFull:
            raise UploadsBusy from None

    def _examine(self, data: bytes, name: str) -> Examined:
        found = find_format(data, name)
        picture = None
        variants = {Variant.ORIGINAL: data}
        if found.is_picture:
            picture = convert(
                data,
                found,
                pixels_max=self._settings.picture_pixels_max,
                bytes_max=_GROWTH_MAX * self._settings.upload_bytes_max,
            )
            found, variants = picture.format, picture.variants
        digest = hashlib.sha256(variants[Variant.ORIGINAL]).digest()
        return Examined(file_name(name, found), found, picture, variants, digest)
