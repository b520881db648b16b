"""The file formats of reports, without the packages that render them, whose import takes half a second."""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """File format of a report; the value is also the file's suffix."""

    PDF = "pdf"
    XLSX = "xlsx"

    @property
    def media_type(self) -> str:
        """The Content-Type of such a file."""
        if self is Format.PDF:
            return "application/pdf"
        return "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
