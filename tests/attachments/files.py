"""Files for uploads: real ones, and hostile ones."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Any

from PIL import Image, PngImagePlugin
from PIL.ExifTags import Base

SECRET = b"taken-at-my-home"
SCRIPT = b"<script>alert(document.domain)</script>"


def picture(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", **options: Any) -> bytes:
    """A picture with a gradient, so that its pixels differ."""
    image = Image.linear_gradient("L").resize(size)
    if mode == "I;16":
        image = image.convert("I").point(lambda value: value * 256)
    image = image.convert(mode)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def picture_with_metadata(kind: str) -> bytes:
    """A picture whose metadata have a place and a script."""
    exif = Image.Exif()
    exif[Base.ImageDescription] = (SECRET + SCRIPT).decode()
    exif[Base.Orientation] = 6  # turned by 90 degrees
    options: dict[str, Any] = {"exif": exif}
    if kind == "PNG":
        texts = PngImagePlugin.PngInfo()
        texts.add_text("Comment", (SECRET + SCRIPT).decode())
        options["pnginfo"] = texts
    if kind == "JPEG":
        options["comment"] = SECRET + SCRIPT
    return picture(kind, icc_profile=b"profile " + SECRET, **options)


def huge_png(width: int, height: int) -> bytes:
    """A valid PNG of zeros: some kilobytes for 100 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)  # one bit for each pixel
    packed = zlib.compressobj(9)
    row = bytes(1 + (width + 7) // 8)
    data = b"".join(packed.compress(row) for _ in range(height)) + packed.flush()
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def text_bomb_png() -> bytes:
    """A PNG whose compressed text has 64 MiB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    plain = picture()
    end = plain.index(b"IDAT") - 4
    return plain[:end] + chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 * 2**20), 9)) + plain[end:]


def animation(frames: int = 5) -> bytes:
    """An animated GIF."""
    images = [Image.new("RGB", (20, 20), (40 * number, 0, 0)) for number in range(frames)]
    file = io.BytesIO()
    images[0].save(file, "GIF", save_all=True, append_images=images[1:])
    return file.getvalue()


def archive(*names: str, **contents: bytes) -> bytes:
    """A zip file with these entries; those in `contents` have a content, of which `mimetype` is the first."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in contents.items():
            made.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_STORED)  # without the present time
        for name in names:
            made.writestr(zipfile.ZipInfo(name), b"<x/>", zipfile.ZIP_DEFLATED)
    return file.getvalue()


PDF = b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer\n<< /Root 1 0 R >>\n%%EOF\n"
DOCX = archive("[Content_Types].xml", "_rels/.rels", "word/document.xml")
XLSX = archive("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml")
ODT = archive("META-INF/manifest.xml", "content.xml", mimetype=b"application/vnd.oasis.opendocument.text")
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
HTML = b"<!DOCTYPE html><html><body>" + SCRIPT + b"</body></html>"
