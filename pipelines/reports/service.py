"""Rendering reports, and writing them to files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines import marts
from pipelines.report_formats import Format
from pipelines.reports.content import read_content
from pipelines.reports.pdf import make_pdf
from pipelines.reports.workbook import make_xlsx
from settings.files import replace_file

if TYPE_CHECKING:
    from pipelines.marts import Marts, Snapshot


@dataclass(frozen=True, slots=True)
class Report:
    """A rendered report. `pages` is set for a PDF, `sheets` (their names, in order) for a workbook."""

    slug: str
    format: Format
    data: bytes
    pages: int | None
    sheets: tuple[str, ...]
    snapshot: Snapshot

    @property
    def file_name(self) -> str:
        """A name with the campaign and the date of the data; only ASCII letters, digits and hyphens."""
        stem = (
            "".join(char if char.isascii() and char.isalnum() else "-" for char in self.slug).strip("-") or "campaign"
        )
        return f"ideamint-{stem}-{self.snapshot.created_at:%Y-%m-%d}.{self.format}"


@dataclass(frozen=True, slots=True)
class ReportResult:
    """A report that was written to a file. `pages` is set for a PDF, `sheets` (their number) for a workbook."""

    path: Path
    bytes: int
    pages: int | None
    sheets: int | None
    snapshot: str


def render(reader: Marts, campaign: str, format: Format | str, *, made_at: datetime | None = None) -> Report:  # noqa: A002
    """A campaign's report. `campaign` is its slug or id.

    A PDF shows `made_at` (aware) and the age of its data. Without `made_at` it shows neither, and the same snapshot gives
    the same bytes. A workbook depends only on the snapshot.

    Raises:
        UnknownCampaign: the reader's snapshot and scope contain no such campaign; the message lists the known ones.
        ValueError: the format is neither pdf nor xlsx.
    """
    kind = Format(format)
    content = read_content(reader, campaign)
    if kind is Format.PDF:
        pdf = make_pdf(content, made_at.astimezone(UTC) if made_at else None)
        return Report(content.campaign.slug, kind, pdf.data, pdf.pages, (), content.snapshot)
    xlsx = make_xlsx(content)
    return Report(content.campaign.slug, kind, xlsx.data, None, xlsx.sheets, content.snapshot)


def render_pdf(reader: Marts, campaign: str, *, made_at: datetime | None = None) -> bytes:
    """The executive PDF of a campaign (slug or id); see :func:`render`."""
    return render(reader, campaign, Format.PDF, made_at=made_at).data


def render_xlsx(reader: Marts, campaign: str) -> bytes:
    """The Excel workbook of a campaign (slug or id); see :func:`render`."""
    return render(reader, campaign, Format.XLSX).data


def write_report(
    data_dir: Path,
    campaign: str,
    format: Format | str,  # noqa: A002 - the name in the command line and the API
    out: Path,
    *,
    made_at: datetime | None = None,
) -> ReportResult:
    """Write a campaign's report from the newest snapshot under `data_dir` to `out`, atomically.

    `campaign` is its slug or id. Missing folders are created; an existing file is replaced. `made_at` defaults to now.

    Raises:
        NoSnapshot: nothing is published under `data_dir`.
        UnknownCampaign: the snapshot has no such campaign; the message lists its campaigns.
        ValueError: the format is neither pdf nor xlsx.
    """
    with marts.open_snapshot(data_dir, marts.Scope.ALL) as reader:
        report = render(reader, campaign, format, made_at=made_at or datetime.now(UTC))
    out.parent.mkdir(parents=True, exist_ok=True)
    replace_file(out, report.data)
    return ReportResult(out, len(report.data), report.pages, len(report.sheets) or None, report.snapshot.id)
