"""Converts pictures: only their pixels remain, in three widths.

What a picture file has besides its pixels (metadata, colour profiles, text, further frames, data after its end) is left
out, so that a picture that is also something else is only a picture afterwards.
"""

from __future__ import annotations

import io
import struct
from dataclasses import dataclass
from enum import StrEnum

from PIL import Image, ImageOps

from api.attachments.errors import PictureTooLarge, UnreadablePicture
from api.attachments.formats import Format

# the number of pixels is checked below, before a picture is decoded; Pillow's own check only warns
Image.MAX_IMAGE_PIXELS = None

SIDE_MAX = 20_000
_QUALITY = 85
_READERS = {Format.PNG: "PNG", Format.JPEG: "JPEG", Format.WEBP: "WEBP", Format.GIF: "GIF"}
# an animation becomes its first frame
_WRITTEN = {Format.PNG: Format.PNG, Format.JPEG: Format.JPEG, Format.WEBP: Format.WEBP, Format.GIF: Format.PNG}
_OPTIONS: dict[Format, dict[str, object]] = {
    Format.PNG: {"format": "PNG"},
    Format.JPEG: {"format": "JPEG", "quality": _QUALITY},
    Format.WEBP: {"format": "WEBP", "quality": _QUALITY, "method": 2},
}
# what decoders raise for damaged files
_DAMAGED = (
    OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError, MemoryError, struct.error,
)  # fmt: skip


class Variant(StrEnum):
    """A size of a picture; files have the original only."""

    ORIGINAL = "original"
    LARGE = "large"
    SMALL = "small"


WIDTHS = {Variant.LARGE: 1280, Variant.SMALL: 320}
"""The widths of the smaller sizes in pixels. A picture that is not wider has no such size."""


@dataclass(frozen=True)
class Picture:
    """A converted picture: its size in pixels, and each variant as a file."""

    format: Format
    width: int
    height: int
    variants: dict[Variant, bytes]


def convert(data: bytes, source: Format, *, pixels_max: int, bytes_max: int) -> Picture:
    """Decode a picture and encode its pixels again, turned as its metadata say.

    Raises:
        PictureTooLarge: it has more than `pixels_max` pixels or a side above 20,000, or one variant more than `bytes_max` bytes.
        UnreadablePicture: it is truncated or damaged.
    """
    try:
        with Image.open(io.BytesIO(data), formats=[_READERS[source]]) as opened:
            _check_size(*opened.size, pixels_max)
            opened.load()
            turned = ImageOps.exif_transpose(opened)
            image = _plain(turned)
        written = _WRITTEN[source]
        variants = {Variant.ORIGINAL: _encode(image, written, bytes_max)}
        for variant, width in WIDTHS.items():
            if image.width > width:
                image_height = max(1, round(image.height * width / image.width))
                smaller = image.resize((width, image_height), Image.Resampling.LANCZOS, reducing_gap=3.0)
                variants[variant] = _encode(smaller, written, bytes_max)
    except _DAMAGED as error:
        msg = "The picture is truncated or damaged."
        raise UnreadablePicture(msg) from error
    return Picture(written, image.width, image.height, variants)


def _check_size(width: int, height: int, pixels_max: int) -> None:
    if width * height > pixels_max or max(width, height) > SIDE_MAX:
        msg = f"The picture has {width} x {height} pixels; it may have {pixels_max:,} in total, and {SIDE_MAX:,} on a side."
        raise PictureTooLarge(msg, pixels_max=pixels_max, side_max=SIDE_MAX)


def _plain(image: Image.Image) -> Image.Image:
    """The pixels in 8 bits for each colour, with transparency if there is any, and nothing else."""
    if image.mode.startswith("I") or image.mode == "F":  # 16 bits and more
        image = image.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    plain = image.convert("RGBA" if has_alpha else "RGB")
    plain.info = {}
    return plain


def _encode(image: Image.Image, written: Format, bytes_max: int) -> bytes:
    file = io.BytesIO()
    image.save(file, **_OPTIONS[written])  # type: ignore[arg-type] # options by name
    if file.tell() > bytes_max:
        msg = f"The converted picture has {file.tell():,} bytes; it may have {bytes_max:,}."
        raise PictureTooLarge(msg, bytes_max=bytes_max)
    return file.getvalue()
