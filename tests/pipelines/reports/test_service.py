from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import openpyxl
import pypdf
import pytest

from pipelines import exports, marts
from pipelines.reports import Format, ReportResult, UnknownCampaign, render, render_pdf, render_xlsx, write_report
from tests.factories.marts import write_snapshot
from tests.factories.marts_world import campaign_id, suppressed

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


class TestReportAfterARefusal:
    @pytest.fixture
    def refused(self, tmp_path: Path) -> Path:
        write_snapshot(tmp_path)
        exports.note_refusal(tmp_path / "exports", ["Greener offices (greener-offices): 1 coin missing"])
        return tmp_path

    def test_the_pdf_says_so_on_the_cover_and_dates_its_claims(self, refused: Path, tmp_path: Path) -> None:
        out = tmp_path / "report.pdf"
        write_report(refused, "greener-offices", "pdf", out, made_at=MADE_AT)
        pages = [" ".join(page.extract_text().split()) for page in pypdf.PdfReader(out).pages]
        assert "Newer data has been refused since" in pages[0]
        assert "Reason: Greener offices (greener-offices): 1 coin missing." in pages[0]
        assert all("newer data was refused" in page for page in pages)
        assert "As of 30 Jun 2026, 04:00 UTC, every coin is accounted for" in " ".join(pages)

    def test_the_workbook_says_so(self, refused: Path, tmp_path: Path) -> None:
        out = tmp_path / "report.xlsx"
        write_report(refused, "greener-offices", "xlsx", out)
        rows = dict(openpyxl.load_workbook(out)["Summary"].iter_rows(min_row=2, max_col=2, values_only=True))
        assert rows["Newer data"].startswith("Newer data has been refused since")
        assert "1 coin missing" in rows["Newer data"]


class TestReportOfASmallCampaign:
    """A campaign of four members with 100 coins each."""

    @pytest.fixture
    def small(self, tmp_path: Path) -> Path:
        write_snapshot(tmp_path, changes=suppressed("greener-offices"))
        return tmp_path

    def test_the_pdf_has_no_number_of_people_or_coins(self, small: Path, tmp_path: Path) -> None:
        out = tmp_path / "report.pdf"
        write_report(small, "greener-offices", "pdf", out, made_at=MADE_AT)
        text = " ".join(" ".join(page.extract_text() for page in pypdf.PdfReader(out).pages).split())
        assert "Fewer than 5 people are members, so no figure about them is shown." in text
        assert "the coins are balanced. Their numbers are not shown for fewer than 5 people." in text
        assert "in wallets" not in text
        assert not re.search(r"\d members", text)

    def test_the_workbook_has_no_number_of_people_or_coins(self, small: Path, tmp_path: Path) -> None:
        out = tmp_path / "report.xlsx"
        write_report(small, "greener-offices", "xlsx", out)
        book = openpyxl.load_workbook(out)
        heading, *rows = book["Ideas"].iter_rows(values_only=True)
        hidden = [heading.index(name) for name in ("Rank", "Coins", "Share of coins", "Backers")]
        assert {row[place] for row in rows for place in hidden} == {None}
        assert {row[heading.index("Note")] for row in rows} == {"fewer than 5 people: the number is not shown"}
        for name in ("Coins over time", "Participation", "Conservation"):
            assert "fewer than 5 people" in str(book[name]["A2"].value)
            assert book[name].max_row == 2
