"""The Excel workbook: no formulas, no links, no macros; the same snapshot gives the same bytes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

import xlsxwriter

from pipelines import wording
from pipelines.reports.sheets import Kind, Sheet, sheets

if TYPE_CHECKING:
    from xlsxwriter.format import Format
    from xlsxwriter.worksheet import Worksheet

    from pipelines.reports.content import Content

_BLUE: Final = "#0B4F8A"
_GREY: Final = "#8B96A1"
_SKY: Final = "#C6DCEF"
_HAIRLINE: Final = "#D3D9DF"
_BARS: Final = 10
_TEXT_MAX: Final = 8000
"""Longest text of a cell, in characters; Excel's limit is 32,767 UTF-16 units."""

_NUMBER_FORMATS: Final = {
    Kind.COUNT: "#,##0",
    Kind.PERCENT: "0.0%",
    Kind.DAYS: "#,##0.0",
    Kind.MONEY: "#,##0.00",
    Kind.DATE: "yyyy-mm-dd",
    Kind.MOMENT: "yyyy-mm-dd hh:mm",
}
_OPTIONS: Final = {"in_memory": True, **wording.WORKBOOK_OPTIONS}


@dataclass(frozen=True, slots=True)
class Xlsx:
    """A finished workbook and the names of its sheets."""

    data: bytes
    sheets: tuple[str, ...]


def make_xlsx(content: Content) -> Xlsx:
    """The workbook of a campaign, with one sheet per subject."""
    target = BytesIO()
    book = xlsxwriter.Workbook(target, _OPTIONS)
    created_at = content.snapshot.created_at.astimezone(UTC).replace(tzinfo=None)
    book.set_properties({
        "title": f"{wording.plain(content.campaign.title, 200)}: executive report",
        "subject": f"Snapshot {content.snapshot.id}",
        "author": "Ideamint",
        "company": "Ideamint",
        "comments": f"Data as of {wording.minute(content.snapshot.created_at)}.",
        "created": created_at,
    })  # fmt: skip
    formats = _Formats(book)
    made = sheets(content)
    pages = {sheet.name: _write(book, formats, sheet, content.snapshot.id) for sheet in made}
    rows = {sheet.name: len(sheet.rows) for sheet in made}
    _draw(book, pages, rows, content)
    book.close()
    return Xlsx(target.getvalue(), tuple(pages))


class _Formats:
    """Cell formats by kind."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        common = {"valign": "top"}
        self.heading = book.add_format({
            "bold": True, "font_color": "#FFFFFF", "bg_color": _BLUE, "valign": "vcenter", "text_wrap": True, "border": 1,
            "border_color": _HAIRLINE,
        })  # fmt: skip
        self.note = book.add_format({"italic": True, "font_color": "#59636E"})
        # with quotePrefix a text that begins with "=" remains a text when its cell is edited
        self.text = book.add_format({**common, "quote_prefix": True})
        self.long_text = book.add_format({**common, "quote_prefix": True, "text_wrap": True})
        self.plain = book.add_format(common)
        self.numbers = {kind: book.add_format({**common, "num_format": form}) for kind, form in _NUMBER_FORMATS.items()}

    def of(self, kind: Kind) -> Format:
        """The format of cells of a kind."""
        if kind is Kind.TEXT:
            return self.text
        if kind is Kind.LONG_TEXT:
            return self.long_text
        return self.numbers.get(kind, self.plain)


def _write(book: xlsxwriter.Workbook, formats: _Formats, sheet: Sheet, snapshot_id: str) -> Worksheet:
    page = book.add_worksheet(sheet.name)
    last = len(sheet.columns) - 1
    for place, column in enumerate(sheet.columns):
        page.set_column(place, place, column.width)
        page.write_string(0, place, column.heading, formats.heading)
    page.set_row(0, 22)
    page.freeze_panes(1, 0)
    page.autofilter(0, 0, max(1, len(sheet.rows)), last)
    for line, row in enumerate(sheet.rows, start=1):
        for place, (column, value) in enumerate(zip(sheet.columns, row, strict=True)):
            _write_cell(page, formats, line, place, column.kind, value)
    if not sheet.rows:
        page.write_string(1, 0, sheet.empty, formats.note)
    page.ignore_errors({"number_stored_as_text": f"A1:{xlsxwriter.utility.xl_col_to_name(last)}{len(sheet.rows) + 1}"})
    page.set_landscape()
    page.set_paper(9)
    page.fit_to_pages(1, 0)
    page.repeat_rows(0)
    page.set_footer(f"&L&8Ideamint, snapshot {snapshot_id.replace('&', '')}&R&8&A, page &P of &N")
    return page


def _write_cell(page: Worksheet, formats: _Formats, line: int, place: int, kind: Kind, value: Any) -> None:
    if kind is Kind.BY_UNIT:
        value, kind = value
    if value is None or value == "":
        return
    shown = formats.of(kind)
    match kind:
        case Kind.TEXT | Kind.LONG_TEXT:
            page.write_string(line, place, wording.plain(str(value), _TEXT_MAX), shown)
        case Kind.YES_NO:
            page.write_boolean(line, place, bool(value), shown)
        case Kind.DATE | Kind.MOMENT:
            moment = value.astimezone(UTC).replace(tzinfo=None) if isinstance(value, datetime) else value
            page.write_datetime(line, place, moment, shown)
        case _:
            page.write_number(line, place, value, shown)


def _draw(book: xlsxwriter.Workbook, pages: dict[str, Worksheet], rows: dict[str, int], content: Content) -> None:
    """Add native charts next to or below their cells."""
    shown = min(_BARS, rows["Ideas"])
    if shown and content.coins_on_ideas:
        chart = _bars(book, "Ideas", (1, shown), (1, 1), {"Coins": (3, _BLUE)})
        _place(
            chart, pages["Summary"], rows["Summary"] + 2, 1, f"Coins on the first {shown} ideas", (780, 60 + 36 * shown)
        )
    if rows["Coins over time"] > 1:
        chart = _area(book, "Coins over time", (1, rows["Coins over time"]))
        _place(chart, pages["Coins over time"], 1, 9, "Coins at work", (760, 360))
    if rows["Participation"]:
        series = {content.people.capitalize(): (2, _GREY)}
        if not content.campaign.is_imported:
            series["Took part"] = (3, _BLUE)
        chart = _bars(book, "Participation", (1, rows["Participation"]), (0, 1), series)
        height = 140 + 34 * min(rows["Participation"], 16)
        _place(chart, pages["Participation"], 1, 8, f"{content.people.capitalize()} by group", (640, height))
    first_row = 1
    for currency in content.roi["currency"].unique(maintain_order=True):
        of_currency = content.roi.filter(content.roi["currency"].eq_missing(currency))
        known = int(of_currency["has_both"].sum())
        if known and currency:
            last = first_row + min(known, _BARS) - 1
            chart = _bars(
                book, "ROI", (first_row, last), (0, 0), {"Cost realised": (4, _GREY), "Value realised": (6, _BLUE)}
            )
            _place(
                chart, pages["ROI"], first_row, 12, f"Cost and value, {currency}", (640, 140 + 44 * min(known, _BARS))
            )
            return
        first_row += of_currency.height


def _bars(
    book: xlsxwriter.Workbook,
    sheet: str,
    lines: tuple[int, int],
    names: tuple[int, int],
    series: dict[str, tuple[int, str]],
) -> Any:
    """Horizontal bars for the rows `lines`, labelled by the columns `names`; `series` maps a name to a column and a colour."""
    chart = book.add_chart({"type": "bar"})
    for name, (place, colour) in series.items():
        chart.add_series({
            "name": name, "categories": [sheet, lines[0], names[0], lines[1], names[1]],
            "values": [sheet, lines[0], place, lines[1], place], "fill": {"color": colour}, "gap": 50,
            "data_labels": {"value": True},
        })  # fmt: skip
    chart.set_y_axis({"reverse": True, "major_gridlines": {"visible": False}, "num_font": {"size": 8}})
    chart.set_x_axis({"visible": False, "major_gridlines": {"visible": False}, "min": 0})
    if len(series) > 1:
        chart.set_legend({"position": "bottom"})
    else:
        chart.set_legend({"none": True})
    return chart


def _area(book: xlsxwriter.Workbook, sheet: str, lines: tuple[int, int]) -> Any:
    chart = book.add_chart({"type": "area"})
    chart.add_series({
        "name": "Coins at work", "categories": [sheet, lines[0], 0, lines[1], 0],
        "values": [sheet, lines[0], 4, lines[1], 4], "fill": {"color": _SKY}, "line": {"color": _BLUE, "width": 1.75},
    })  # fmt: skip
    chart.set_x_axis({"date_axis": True, "num_format": "d mmm yyyy", "num_font": {"size": 8}})
    chart.set_y_axis(
        {"num_format": "#,##0", "major_gridlines": {"visible": True, "line": {"color": _HAIRLINE}}, "min": 0}
    )
    chart.set_legend({"none": True})
    return chart


def _place(chart: Any, page: Worksheet, line: int, place: int, title: str, size: tuple[int, int]) -> None:
    chart.set_title({"name": title, "name_font": {"size": 12, "color": _BLUE}})
    chart.set_size({"width": size[0], "height": size[1]})
    page.insert_chart(line, place, chart, {"object_position": 2, "description": title})
