from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pypdf
import pytest

from pipelines import marts
from pipelines.reports import Format, ReportResult, UnknownCampaign, render, render_pdf, render_xlsx, write_report
from tests.factories.marts_world import campaign_id

MADE_AT = datetime(2026, 6, 30, 7, 30, tzinfo=UTC)


class TestWriteReport:
    def test_a_pdf_is_written_and_described(self, published: Path, tmp_path: Path) -> None:
        out = tmp_path / "new" / "report.pdf"
        result = write_report(published, "greener-offices", "pdf", out, made_at=MADE_AT)
        pages = len(pypdf.PdfReader(out).pages)
        assert result == ReportResult(out, out.stat().st_size, pages, None, "20260630T040000Z")
        assert list(out.parent.iterdir()) == [out]

    def test_a_workbook_is_written_and_described(self, published: Path, tmp_path: Path) -> None:
        out = tmp_path / "report.xlsx"
        result = write_report(published, "greener-offices", Format.XLSX, out)
        assert result == ReportResult(out, out.stat().st_size, None, 8, "20260630T040000Z")
        assert len(openpyxl.load_workbook(out).sheetnames) == 8

    def test_an_unknown_campaign_lists_the_known_ones_and_writes_nothing(self, published: Path, tmp_path: Path) -> None:
        out = tmp_path / "report.pdf"
        out.write_text("the report of last month")
        with pytest.raises(UnknownCampaign, match=r"(?s)'nowhere'.*greener-offices.*toulouse-2019"):
            write_report(published, "nowhere", "pdf", out)
        assert out.read_text() == "the report of last month"

    def test_an_unknown_format_is_refused(self, published: Path, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="docx"):
            write_report(published, "greener-offices", "docx", tmp_path / "report.docx")

    def test_without_a_snapshot_the_error_names_the_command(self, tmp_path: Path) -> None:
        with pytest.raises(marts.NoSnapshot, match="ideamint refresh"):
            write_report(tmp_path, "greener-offices", "pdf", tmp_path / "report.pdf")


class TestRender:
    def test_slug_and_id_select_the_same_campaign(self, reader: marts.Marts) -> None:
        assert render_xlsx(reader, "lodz-2020") == render_xlsx(reader, campaign_id("lodz-2020"))
        assert render_pdf(reader, "lodz-2020") == render_pdf(reader, campaign_id("lodz-2020"))

    def test_a_scope_hides_other_campaigns_even_from_the_error(self, published: Path) -> None:
        with (
            marts.open_snapshot(published, marts.Scope.of({campaign_id("lodz-2020")})) as reader,
            pytest.raises(UnknownCampaign) as caught,
        ):
            render(reader, "greener-offices", "pdf")
        assert caught.value.slugs == ("lodz-2020",)

    def test_a_report_within_a_scope_is_the_same_report(self, published: Path, reader: marts.Marts) -> None:
        with marts.open_snapshot(published, marts.Scope.of({campaign_id("lodz-2020")})) as narrow:
            assert render_pdf(narrow, "lodz-2020", made_at=MADE_AT) == render_pdf(reader, "lodz-2020", made_at=MADE_AT)

    def test_the_file_name_is_valid_in_a_header(self, reader: marts.Marts) -> None:
        made = render(reader, "lodz-2020", "xlsx")
        assert made.file_name == "ideamint-lodz-2020-2026-06-30.xlsx"
        assert made.format.media_type.startswith("application/vnd.openxmlformats")
