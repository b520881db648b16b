from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdf
import pytest
import typst
from PIL import Image

from pipelines import marts
from pipelines.reports import glyphs, pdf
from pipelines.reports.content import Content, read_content
from pipelines.reports.document import document
from pipelines.reports.pdf import Pdf, make_pdf
from tests.pipelines.reports.conftest import WithTitles

MADE_AT = datetime(2026, 6, 30, 7, 30, tzinfo=UTC)
SLUGS = ("greener-offices", "faster-deliveries", "safer-warehouses", "tools-we-miss", "lodz-2020", "toulouse-2019")
HOSTILE = [
    '=cmd|"/C calc"!A0',
    '#link("https://evil.example")[y]',
    "<script>alert(1)</script>",
    "*bold* _italic_ `raw` $x^2$ @ref <label>",
    "https://evil.example/path?a=b",
    "javascript:alert(1)",
    '#eval("1+1") #read("/etc/passwd")',
    "\\u{1F600} #sys.inputs.data",
    "= A heading\n== Another",
    "[link](https://evil.example)",
    "-- /* a comment */ // another",
    "{{ 7 * 7 }}",
]
UNUSUAL = [
    "W" * 400,
    "Zażółć gęślą jaźń " * 30,
    "שלום עולם, a mixed title עם מספרים 123",
    "مرحبا بالعالم",
    "🎉🎉🎉 A party 👩‍👩‍👧‍👦",
    "工具箱をください",
    "\x00\x07\x1b[2J\r\n\tcontrol",
    "e" + "\u0301" * 300,
    "\u202eevil\u2066",
    "\u200b\u200d\ufeff",
    "a\u05b0",
    "",
]


def read_back(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(BytesIO(data))


@cache
def pages_of(data: bytes) -> tuple[str, ...]:
    return tuple(page.extract_text().replace("\N{NO-BREAK SPACE}", " ") for page in read_back(data).pages)


def text_of(data: bytes) -> str:
    return "\n".join(pages_of(data))


def without_spaces(text: str) -> str:
    """The text without spaces and line-break marks, which a table cell may have added."""
    return re.sub(r"[\s\u200b]+", "", text)


def objects(reader: pypdf.PdfReader) -> Iterator[Any]:
    for number in range(1, len(reader.xref_objStm) + sum(map(len, reader.xref.values())) + 1):
        found = reader.get_object(number)
        if isinstance(found, pypdf.generic.DictionaryObject):
            yield found


@pytest.fixture(scope="module")
def pdf_of(published: Path) -> Callable[[str], Pdf]:
    """The PDF of a campaign of the small snapshot, made once."""

    @cache
    def made(slug: str) -> Pdf:
        with marts.open_snapshot(published, marts.Scope.ALL) as reader:
            return make_pdf(read_content(reader, slug), MADE_AT)

    return made


class TestMakePdf:
    @pytest.mark.parametrize("slug", SLUGS)
    def test_every_page_has_its_number_and_the_date_of_the_data(self, pdf_of: Callable[[str], Pdf], slug: str) -> None:
        made = pdf_of(slug)
        pages = pages_of(made.data)
        assert len(pages) == made.pages
        for number, text in enumerate(pages, start=1):
            assert f"Page {number} of {made.pages}" in text
            assert "Data as of 30 Jun 2026, 04:00 UTC · snapshot 20260630T040000Z" in text

    @pytest.mark.parametrize("slug", SLUGS)
    def test_it_conforms_to_pdf_ua(self, pdf_of: Callable[[str], Pdf], slug: str) -> None:
        metadata = read_back(pdf_of(slug).data).xmp_metadata
        assert metadata is not None
        assert b"<pdfuaid:part>1</pdfuaid:part>" in metadata.stream.get_data()

    @pytest.mark.parametrize("slug", SLUGS)
    def test_every_figure_has_its_definition(
        self, read: Callable[[str], Content], pdf_of: Callable[[str], Pdf], slug: str
    ) -> None:
        text = without_spaces(text_of(pdf_of(slug).data))
        for figure in read(slug).to_date:
            assert without_spaces(figure.title) in text
            assert without_spaces(figure.definition) in text

    def test_the_same_content_and_moment_give_the_same_bytes(self, read: Callable[[str], Content]) -> None:
        first, again = (make_pdf(read("greener-offices"), MADE_AT).data for _ in range(2))
        assert first == again

    def test_the_age_of_the_data_is_shown_if_the_time_is_known(self, read: Callable[[str], Content]) -> None:
        content = read("greener-offices")
        assert "when the data was 3 hours old" in text_of(make_pdf(content, MADE_AT).data)
        assert "old." not in text_of(make_pdf(content, None).data)

    def test_only_fonts_of_typst_are_used(self, pdf_of: Callable[[str], Pdf]) -> None:
        reader = read_back(pdf_of("tools-we-miss").data)
        fonts = {str(found["/BaseFont"]).split("+")[-1] for found in objects(reader) if "/BaseFont" in found}
        assert fonts
        assert all(font.startswith(("LibertinusSerif", "NewCM", "DejaVuSansMono")) for font in fonts)

    def test_the_file_has_its_title_and_language(self, pdf_of: Callable[[str], Pdf]) -> None:
        reader = read_back(pdf_of("lodz-2020").data)
        assert reader.metadata is not None
        assert reader.metadata.title == "Łódź 2020: executive report"
        assert str(reader.root_object["/Lang"]) == "en"

    def test_charts_have_an_alternative_text(self, pdf_of: Callable[[str], Pdf]) -> None:
        reader = read_back(pdf_of("greener-offices").data)
        texts = [str(found["/Alt"]) for found in objects(reader) if "/Alt" in found]
        assert any(text.startswith("Bars of coins on each idea.") for text in texts)
        assert any("ideas hold half of all coins" in text for text in texts)
        assert any(text.startswith("Realised cost and value.") for text in texts)

    def test_data_that_is_not_in_the_file_of_an_election_is_marked(self, pdf_of: Callable[[str], Pdf]) -> None:
        text = text_of(pdf_of("toulouse-2019").data)
        assert "When each coin was placed is not in the file" in text
        assert "Last 30 days" not in text
        assert "Which ideas were selected is not in the file." in text

    def test_small_groups_are_not_named(self, pdf_of: Callable[[str], Pdf]) -> None:
        text = text_of(pdf_of("safer-warehouses").data)
        assert "Operations" in text
        assert "Legal" not in text
        assert "2 groups are not shown, to protect small groups." in text

    def test_a_small_number_of_backers_is_not_shown(self, read: Callable[[str], Content]) -> None:
        content = read("greener-offices")
        content = replace(content, ideas=content.ideas.with_columns(backers=None))
        assert text_of(make_pdf(content, MADE_AT).data).count("under 5") == content.ideas.height

    def test_a_difference_is_shown_on_the_cover(self, read: Callable[[str], Content]) -> None:
        content = read("greener-offices")
        assert content.conservation is not None
        content = replace(content, conservation={**content.conservation, "difference_coins": 7, "is_balanced": False})
        cover = read_back(make_pdf(content, MADE_AT).data).pages[0].extract_text()
        assert "Coins not conserved as of 30 Jun 2026, 04:00 UTC: difference 7." in " ".join(cover.split())

    @pytest.mark.parametrize("slug", ["greener-offices", "lodz-2020"])
    def test_the_head_of_the_ledger_is_text(self, read: Callable[[str], Content], slug: str) -> None:
        content = read(slug)
        text = text_of(make_pdf(content, MADE_AT).data)
        assert (
            f"Ledger head: block {content.campaign.chain_height}, {content.campaign.chain_hash}, sealed 30 Jun" in text
        )
        assert "A copy kept elsewhere" in text
        unsealed = replace(content.campaign, chain_height=None, chain_hash=None, chain_sealed_at=None)
        text = text_of(make_pdf(replace(content, campaign=unsealed), MADE_AT).data)
        assert "Ledger head: no transfer has been sealed yet" in text
        assert "A copy kept elsewhere" not in text

    def test_an_empty_campaign_has_a_report(self, read: Callable[[str], Content]) -> None:
        content = read("tools-we-miss")
        empty = replace(
            content,
            campaign=replace(content.campaign, members=0, participants=0, ideas=0, starts_at=None, activated_at=None),
            ideas=content.ideas.clear(),
            days=content.days.clear(),
            groups=content.groups.clear(),
            to_date=(),
            recent=(),
            conservation=None,
        )
        text = text_of(make_pdf(empty, MADE_AT).data)
        assert "No person has joined yet." in text
        assert "There are no ideas yet." in text


class TestUserText:
    def test_it_is_not_executed(self, with_titles: WithTitles) -> None:
        data = make_pdf(with_titles(HOSTILE, campaign_title=HOSTILE[1]), MADE_AT).data
        text = without_spaces(text_of(data))
        for title in HOSTILE:
            assert without_spaces(title) in text, title
        found = list(objects(read_back(data)))
        assert not {key for item in found for key in item} & {"/Annots", "/URI", "/AA", "/JS", "/OpenAction", "/EF"}
        assert not {str(item.get("/S")) for item in found} & {"/URI", "/JavaScript", "/Launch", "/GoToR", "/SubmitForm"}

    def test_unusual_titles_do_not_break_the_report(self, with_titles: WithTitles) -> None:
        made = make_pdf(with_titles(UNUSUAL, campaign_title="W" * 300 + "\u202e🎉"), MADE_AT)
        text = text_of(made.data)
        assert "A party" in text
        assert "שלום" in text or "םולש" in text  # in reading order, or in visual order
        assert made.pages <= 8

    def test_text_stays_within_the_margins(self, with_titles: WithTitles) -> None:
        assert margins_are_white(with_titles(UNUSUAL, campaign_title="W" * 300 + "\u202e🎉"))

    def test_every_drawable_character_is_in_the_fonts(self) -> None:
        """PDF/UA forbids a character without a glyph, so this fails at the first one."""
        drawn = [
            chr(point)
            for first, last in glyphs._DRAWN
            for point in range(first, last + 1)
            if unicodedata.category(chr(point)) not in ("Cn", "Cc")
        ]
        template = pdf._MAIN.parent / "style.typ"
        fonts = re.search(r"font: \(([^)]*)\)", template.read_text())
        assert fonts is not None
        source = f'#set document(title: "x")\n#set text(font: ({fonts.group(1)}))\n#for char in json(bytes(sys.inputs.data)) [#box(char) ]'
        made = typst.compile(
            source.encode(), font_paths=pdf._fonts(), ignore_system_fonts=True, pdf_standards="ua-1", format="pdf",
            sys_inputs={"data": json.dumps([glyphs.drawable(char, 5) or "-" for char in drawn])},
        )  # fmt: skip
        assert made.startswith(b"%PDF")


def margins_are_white(content: Content) -> bool:
    """Whether a margin of one centimetre is empty at the left and right edge of each page."""
    # A list if there are several pages, which its type does not declare.
    pages: Any = typst.compile(
        pdf._MAIN, root=pdf._TEMPLATES, font_paths=pdf._fonts(), ignore_system_fonts=True, format="png", ppi=60,
        sys_inputs={"data": json.dumps(document(content, MADE_AT))},
    )  # fmt: skip
    for page in [pages] if isinstance(pages, bytes) else pages:
        image = Image.open(BytesIO(page)).convert("L")
        margin = round(60 / 2.54)
        for left in (0, image.width - margin):
            if any(count for count in image.crop((left, 0, left + margin, image.height)).histogram()[:255]):
                return False
    return True
