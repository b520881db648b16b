"""The types of files that can be attached, recognised by their content.

The name and the media type that a client sends decide nothing, except between the two kinds of plain text.
"""

from __future__ import annotations

import io
import re
import zipfile
from enum import StrEnum

import puremagic

from api.attachments.errors import UnsupportedFile


class Format(StrEnum):
    """A type of file; the value is the ending of its name."""

    PNG = "png"
    JPEG = "jpg"
    WEBP = "webp"
    GIF = "gif"
    PDF = "pdf"
    DOCX = "docx"
    XLSX = "xlsx"
    ODT = "odt"
    TXT = "txt"
    CSV = "csv"

    @property
    def media_type(self) -> str:
        """The media type of such a file."""
        return _MEDIA_TYPES[self]

    @property
    def is_picture(self) -> bool:
        """Whether it is a picture, which is converted."""
        return self in PICTURES


_MEDIA_TYPES = {
    Format.PNG: "image/png",
    Format.JPEG: "image/jpeg",
    Format.WEBP: "image/webp",
    Format.GIF: "image/gif",
    Format.PDF: "application/pdf",
    Format.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    Format.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    Format.ODT: "application/vnd.oasis.opendocument.text",
    Format.TXT: "text/plain",
    Format.CSV: "text/csv",
}
PICTURES = frozenset({Format.PNG, Format.JPEG, Format.WEBP, Format.GIF})
_BY_MEDIA_TYPE = {_MEDIA_TYPES[each]: each for each in (*PICTURES, Format.PDF)}

NAME_LENGTH_MAX = 150
_UNSAFE = re.compile(r'[\x00-\x1f\x7f"<>|:*?]')
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
_MARKUP = re.compile(
    rb"<(?:!doctype|\?xml|html|head|body|svg|script|iframe|style|meta|link|math|object|embed)\b", re.IGNORECASE
)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_ZIP = b"PK\x03\x04"
# an office document: the part that every such document has
_PARTS = {"word/document.xml": Format.DOCX, "xl/workbook.xml": Format.XLSX}
_MACROS = "vbaproject.bin"
_ENTRIES_MAX = 10_000
_TYPE_BYTES_MAX = 100


def find_format(data: bytes, name: str) -> Format:
    """The type of a file by its content; `name` distinguishes CSV from other text.

    Raises:
        UnsupportedFile: files of this type cannot be attached.
    """
    if not data:
        msg = "The file is empty."
        raise UnsupportedFile(msg)
    if data.startswith(_ZIP):
        return _document(data)
    if not _CONTROLS.search(data):
        return _text(data, name)
    found = {_BY_MEDIA_TYPE.get(match.mime_type) for match in _matches(data)} - {None}
    if Format.PDF in found and not data.startswith(b"%PDF-"):
        found.discard(Format.PDF)
    if len(found) != 1:
        raise _unsupported()
    return found.pop()  # type: ignore[return-value] # None was removed


def file_name(name: str, found: Format) -> str:
    """The name under which a file is offered: the last part of `name`, with the ending of its type."""
    last = _UNSAFE.sub("", re.split(r"[/\\]", name)[-1]).strip(" .")
    stem, dot, ending = last.rpartition(".")
    is_ending = bool(dot and stem) and len(ending) <= len("jpeg") + 1
    kept = (stem if is_ending else last)[:NAME_LENGTH_MAX].strip(" .")
    return f"{kept or 'file'}.{found.value}"


def _matches(data: bytes) -> list[puremagic.PureMagicWithConfidence]:
    try:
        return puremagic.magic_string(data)
    except (puremagic.PureError, ValueError):
        return []


def _text(data: bytes, name: str) -> Format:
    beginning = data.removeprefix(_BYTE_ORDER_MARK).lstrip()
    if not beginning or _MARKUP.search(data):
        msg = "The file is empty or contains HTML, SVG or XML, which cannot be attached."
        raise UnsupportedFile(msg)
    if beginning.startswith(b"%PDF-"):
        return Format.PDF
    ending = name.rpartition(".")[2].lower()
    if ending not in {Format.TXT, Format.CSV}:
        raise _unsupported()
    return Format(ending)


def _document(data: bytes) -> Format:
    """The type of an office document, by the directory of its archive; no part of it is decompressed except its type."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entries = archive.infolist()
            names = {entry.filename.lower() for entry in entries}
            if len(entries) > _ENTRIES_MAX or any(name.rpartition("/")[2] == _MACROS for name in names):
                msg = "The document contains macros, or too many parts."
                raise UnsupportedFile(msg)
            first = entries[0] if entries else None
            if first and first.filename == "mimetype" and first.file_size <= _TYPE_BYTES_MAX:
                with archive.open(first) as part:
                    media_type = part.read(_TYPE_BYTES_MAX).decode("ascii", "replace")
                if media_type == Format.ODT.media_type and "content.xml" in names:
                    return Format.ODT
            elif "[content_types].xml" in names:
                kinds = {kind for part_name, kind in _PARTS.items() if part_name in names}
                if len(kinds) == 1:
                    return kinds.pop()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        msg = "The archive cannot be read."
        raise UnsupportedFile(msg) from error
    raise _unsupported()


def _unsupported() -> UnsupportedFile:
    endings = ", ".join(each.value for each in Format)
    msg = f"This file cannot be attached; possible are {endings}, recognised by their content."
    return UnsupportedFile(msg, accepted=[each.value for each in Format])
