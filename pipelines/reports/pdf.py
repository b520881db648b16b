"""The executive PDF, made by Typst without network access, with only the fonts that Typst contains."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

import typst

from pipelines.reports.document import document

if TYPE_CHECKING:
    from pipelines.reports.content import Content

_TEMPLATES: Final = Path(__file__).parent / "templates"
_MAIN: Final = _TEMPLATES / "report.typ"
_STANDARD: Final = "ua-1"
"""PDF/UA-1: tagged for screen readers, with headings, tables and a text for each chart."""


@dataclass(frozen=True, slots=True)
class Pdf:
    """A finished PDF and its number of pages."""

    data: bytes
    pages: int


def make_pdf(content: Content, made_at: datetime | None) -> Pdf:
    """The PDF of a campaign; the same content and moment give the same bytes.

    If a text contains a sequence that the fonts cannot draw although `glyphs.drawable` accepts it, the file does not
    conform to PDF/UA-1 and shows an empty box there.
    """
    data = json.dumps(document(content, made_at), ensure_ascii=False)
    compiler = typst.Compiler(
        _MAIN, root=_TEMPLATES, font_paths=_fonts(), ignore_system_fonts=True, sys_inputs={"data": data}
    )
    timestamp = int((made_at or content.snapshot.created_at).timestamp())
    try:
        made = compiler.compile(format="pdf", timestamp=timestamp, pdf_standards=_STANDARD)
    except typst.TypstError:
        made = compiler.compile(format="pdf", timestamp=timestamp)
    pages = json.loads(compiler.query("<pages>", field="value", one=True))
    return Pdf(cast("bytes", made), int(pages))  # a PDF is one file; only images are a list of pages


@cache
def _fonts() -> typst.Fonts:
    return typst.Fonts(include_system_fonts=False, include_embedded_fonts=True)
