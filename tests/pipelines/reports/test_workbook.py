from __future__ import annotations

import re
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import openpyxl
import pytest
from openpyxl.workbook import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from pipelines.reports.content import Content
from pipelines.reports.workbook import make_xlsx
from tests.pipelines.reports.conftest import WithTitles
from tests.pipelines.reports.test_pdf import HOSTILE, UNUSUAL

Read = Callable[[str], Content]
SHEETS = (
    "Summary", "Figures", "Ideas", "Coins over time", "Participation", "ROI", "Conservation", "Definitions",
)  # fmt: skip
SLUGS = ("greener-offices", "faster-deliveries", "safer-warehouses", "tools-we-miss", "lodz-2020", "toulouse-2019")


def open_book(content: Content) -> Workbook:
    return openpyxl.load_workbook(BytesIO(make_xlsx(content).data))


def column(page: Worksheet, heading: str) -> list[openpyxl.cell.Cell]:
    """The cells under a heading."""
    place = [cell.value for cell in page[1]].index(heading)
    return [row[place] for row in page.iter_rows(min_row=2)]


def parts(data: bytes) -> dict[str, str]:
    with zipfile.ZipFile(BytesIO(data)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


class TestMakeXlsx:
    @pytest.mark.parametrize("slug", SLUGS)
    def test_each_subject_has_a_sheet_with_a_frozen_heading_and_a_filter(self, read: Read, slug: str) -> None:
        book = open_book(read(slug))
        assert tuple(book.sheetnames) == SHEETS
        for page in book:
            assert page.freeze_panes == "A2"
            assert page.auto_filter.ref == page.dimensions
            assert all(cell.font.bold and cell.value for cell in page[1])
            assert all(page.column_dimensions[cell.column_letter].width >= 7 for cell in page[1])

    @pytest.mark.parametrize("slug", SLUGS)
    def test_no_cell_is_a_formula_or_a_link(self, read: Read, slug: str) -> None:
        data = make_xlsx(read(slug)).data
        book = openpyxl.load_workbook(BytesIO(data))
        assert not [cell for page in book for row in page for cell in row if cell.data_type == "f" or cell.hyperlink]
        assert not any(
            "<f>" in part or "<f " in part for name, part in parts(data).items() if "worksheets/sheet" in name
        )

    def test_columns_are_typed_and_formatted(self, read: Read) -> None:
        book = open_book(read("greener-offices"))
        expected: dict[tuple[str, str], tuple[Any, str]] = {
            ("Ideas", "Coins"): (int, "#,##0"),
            ("Ideas", "Share of coins"): (float, "0.0%"),
            ("Ideas", "Backed"): (bool, "General"),
            ("Ideas", "Submitted (UTC)"): (datetime, "yyyy-mm-dd hh:mm"),
            ("Ideas", "Idea"): (str, "General"),
            ("Coins over time", "Day"): (datetime, "yyyy-mm-dd"),
            ("Coins over time", "Coins at work"): (int, "#,##0"),
            ("Participation", "Share"): (float, "0.0%"),
            ("ROI", "Cost realised"): ((int, float), "#,##0.00"),
            ("ROI", "Return"): ((int, float), "0.0%"),
            ("Conservation", "Coins"): (int, "#,##0"),
        }
        for (sheet, heading), (kind, shown) in expected.items():
            cells = [cell for cell in column(book[sheet], heading) if cell.value is not None]
            assert cells, (sheet, heading)
            assert all(isinstance(cell.value, kind) and cell.number_format == shown for cell in cells), (sheet, heading)

    def test_a_figure_is_formatted_by_its_unit(self, read: Read) -> None:
        page = open_book(read("greener-offices"))["Figures"]
        rows = [list(row) for row in page.iter_rows(min_row=2)]
        shown = {row[1].value: row[6].number_format for row in rows if row[6].value is not None}
        assert shown["Participation"] == "0.0%"
        assert shown["Overdue"] == "#,##0"

    def test_the_cells_have_the_values_of_the_snapshot(self, read: Read) -> None:
        content = read("lodz-2020")
        page = open_book(content)["Ideas"]
        assert [cell.value for cell in column(page, "Coins")] == content.ideas["coins"].to_list()
        assert [cell.value for cell in column(page, "Idea")] == content.ideas["title"].to_list()
        page = open_book(content)["Figures"]
        assert len(list(page.iter_rows(min_row=2))) == len(content.to_date)

    def test_figures_have_the_last_30_days_and_the_30_days_before(self, read: Read) -> None:
        content = read("tools-we-miss")
        page = open_book(content)["Figures"]
        participation = [row for row in page.iter_rows(min_row=2, values_only=True) if row[1] == "Participation"]
        assert [row[3] for row in participation] == ["to date", "last 30 days", "30 days before"]
        (recent,) = [figure for figure in content.recent if figure.name == "participation"]
        assert recent.before is not None
        assert [row[6] for row in participation[1:]] == [recent.now.value, recent.before.value]

    def test_an_unknown_value_is_empty_and_has_its_reason(self, read: Read) -> None:
        page = open_book(read("toulouse-2019"))["Figures"]
        (row,) = [row for row in page.iter_rows(min_row=2, values_only=True) if row[1] == "Participation"]
        assert row[6] is None
        assert row[11] == "not in the file"

    def test_a_hidden_figure_has_no_numerator_and_denominator(self, read: Read) -> None:
        content = read("greener-offices")
        hidden: dict[str, Any] = {
            "value": None,
            "numerator": 3.0,
            "denominator": 60.0,
            "unknown_reason": "fewer than 5 people",
        }
        figures = tuple(replace(figure, now=replace(figure.now, **hidden)) for figure in content.to_date)
        page = open_book(replace(content, to_date=figures, recent=()))["Figures"]
        rows = list(page.iter_rows(min_row=2, values_only=True))
        assert {row[6:7] + row[8:12] for row in rows} == {(None, None, None, None, "fewer than 5 people")}

    def test_data_that_is_not_in_the_file_of_an_election_is_marked(self, read: Read) -> None:
        book = open_book(read("toulouse-2019"))
        assert book["Coins over time"]["A2"].value.startswith("When each coin was placed is not in the file")
        assert book["ROI"]["A2"].value == "Costs and values of the ideas are not in the file."

    def test_small_groups_and_few_backers_have_no_number(self, read: Read) -> None:
        content = read("safer-warehouses")
        content = replace(content, ideas=content.ideas.with_columns(backers=None))
        book = open_book(content)
        hidden = [row for row in book["Participation"].iter_rows(min_row=2, values_only=True) if row[2] is None]
        assert {row[1] for row in hidden} == {"Finance", "Legal"}
        assert all(row[3:6] == (None, None, None) and row[6].startswith("not shown") for row in hidden)
        assert {cell.value for cell in column(book["Ideas"], "Backers")} == {None}
        assert all("fewer than 5 backers" in cell.value for cell in column(book["Ideas"], "Note"))

    def test_native_charts_refer_to_the_cells(self, read: Read) -> None:
        book = open_book(read("greener-offices"))
        assert {page.title for page in book if page._charts} == {"Summary", "Coins over time", "Participation", "ROI"}
        references = re.findall(r"<c:f>([^<]*)</c:f>", "".join(
            part for name, part in parts(make_xlsx(read("greener-offices")).data).items() if "charts/chart" in name
        ))  # fmt: skip
        assert "Ideas!$D$2:$D$11" in references
        assert "'Coins over time'!$E$2:$E$61" in references

    def test_the_bytes_depend_only_on_the_snapshot(self, read: Read) -> None:
        first, again = (make_xlsx(read("greener-offices")).data for _ in range(2))
        assert first == again

    def test_properties_have_campaign_and_snapshot(self, read: Read) -> None:
        properties = open_book(read("lodz-2020")).properties
        assert properties.title == "Łódź 2020: executive report"
        assert properties.subject == "Snapshot 20260630T040000Z"
        assert properties.created.replace(tzinfo=UTC) == datetime(2026, 6, 30, 4, tzinfo=UTC)


class TestUserText:
    def test_formulas_are_written_as_text(self, with_titles: WithTitles) -> None:
        data = make_xlsx(with_titles(HOSTILE, campaign_title="=1+1")).data
        book = openpyxl.load_workbook(BytesIO(data))
        cells = column(book["Ideas"], "Idea")
        assert {cell.value for cell in cells} == {" ".join(title.split()) for title in HOSTILE}
        assert all(cell.data_type == "s" and cell.hyperlink is None and cell.quotePrefix for cell in cells)
        assert book["Summary"]["B2"].value == "=1+1"
        assert book["Summary"]["B2"].data_type == "s"
        assert not any("hyperlink" in part for part in parts(data).values())

    def test_unusual_titles_do_not_break_the_file(self, with_titles: WithTitles) -> None:
        data = make_xlsx(with_titles([*UNUSUAL[:-1], "x" * 100_000], campaign_title="_x0041_ & <b>")).data
        book = openpyxl.load_workbook(BytesIO(data))
        titles = [cell.value for cell in column(book["Ideas"], "Idea")]
        assert "🎉🎉🎉 A party 👩👩👧👦" in titles
        assert "control" in " ".join(filter(None, titles))
        assert all(len(title or "") <= 8000 for title in titles)
        assert book["Summary"]["B2"].value == "_x0041_ & <b>"

    def test_digits_are_written_as_text_without_a_warning(self, with_titles: WithTitles) -> None:
        data = make_xlsx(with_titles(["007"])).data
        book = openpyxl.load_workbook(BytesIO(data))
        assert "007" in [cell.value for cell in column(book["Ideas"], "Idea")]
        assert 'numberStoredAsText="1"' in parts(data)["xl/worksheets/sheet3.xml"]
