from __future__ import annotations

from pipelines.reports import glyphs


class TestDrawable:
    def test_polish_french_greek_cyrillic_and_hebrew_are_unchanged(self) -> None:
        text = "Zażółć gęślą jaźń, œuvre à Noël, Ελλάδα, Привет, שלום"
        assert glyphs.drawable(text, 100) == text

    def test_a_run_of_missing_characters_is_replaced_by_one_mark(self) -> None:
        assert glyphs.drawable("工具箱 party 🎉👩‍👩‍👧", 50) == f"{glyphs.UNDRAWN} party {glyphs.UNDRAWN}"
