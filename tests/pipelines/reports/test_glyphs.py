from __future__ import annotations

import pytest

from pipelines.reports import glyphs


class TestDrawable:
    def test_polish_french_greek_cyrillic_and_hebrew_are_unchanged(self) -> None:
        text = "Zażółć gęślą jaźń, œuvre à Noël, Ελλάδα, Привет, שלום"
        assert glyphs.drawable(text, 100) == text

    def test_a_run_of_missing_characters_is_replaced_by_one_mark(self) -> None:
        assert glyphs.drawable("工具箱 party 🎉👩‍👩‍👧", 50) == f"{glyphs.UNDRAWN} party {glyphs.UNDRAWN}"


class TestMissingScripts:
    @pytest.mark.parametrize(
        ("text", "scripts"),
        [
            ("\u5de5\u5177\u7bb1", {"Chinese"}),
            ("\u3072\u3089\u304c\u306a", {"Japanese"}),
            ("\ud55c\uad6d\uc5b4", {"Korean"}),
            ("\u0e44\u0e17\u0e22", {"Thai"}),
            ("\u0939\u093f\u0928\u094d\u0926\u0940", {"Devanagari"}),
            ("A party \U0001f389", {"emoji and symbols"}),
            ("Za\u017c\u00f3\u0142\u0107, \u05e9\u05dc\u05d5\u05dd", set()),
        ],
    )
    def test_names_the_scripts_that_the_pdf_does_not_print(self, text: str, scripts: set[str]) -> None:
        assert glyphs.missing_scripts(text) == scripts
