"""The transliteration, and the slugs of texts."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.kernel.slugs import shorten_middle, slug_of, transliterate


class TestTransliterate:
    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("Kraków, BIEŃCZYCE", "krakow-bienczyce"),
            ("Łódź", "lodz"),
            ("Lo\u0301dz\u0301", "lodz"),
            ("Straße, Ærø, Đakovo", "strasse-aero-dakovo"),
            ("Iğdır İzmir", "igdir-izmir"),  # noqa: RUF001 - the dotless i
            ("Київ", "kiiv"),
            ("Львів", "lviv"),
            ("Θεσσαλονίκη", "thessaloniki"),
            ("東京", "dongjing"),
            ("서울", "seoul"),
            ("O'Brien", "obrien"),
            ("2024/25", "2024-25"),
            ("\u200b!?", ""),
        ],
    )
    def test_every_script_has_ascii_letters(self, text: str, name: str) -> None:
        assert transliterate(text) == name


class TestSlugOf:
    @given(st.text(max_size=300), st.integers(20, 100))
    def test_it_is_a_slug_within_the_length(self, text: str, length_max: int) -> None:
        slug = slug_of(text, length_max)
        assert re.fullmatch(r"([a-z0-9]+(-[a-z0-9]+)*)?", slug)
        assert len(slug) <= length_max


class TestShortenMiddle:
    def test_a_name_that_fits_stays(self) -> None:
        assert shorten_middle("one-two-three", 13) == "one-two-three"

    def test_whole_words_at_both_ends_stay(self) -> None:
        assert shorten_middle("greener-offices-for-all-of-us-in-the-year-2026", 30) == "greener-offices-the-year-2026"

    def test_a_single_long_word_is_cut(self) -> None:
        assert shorten_middle("a" * 40 + "z" * 40, 21) == "a" * 10 + "-" + "z" * 10
