from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from pipelines import wording


class TestPlain:
    def test_control_characters_and_line_breaks_become_one_space(self) -> None:
        assert wording.plain("a\x00b\r\n\tc\u2028d\x1b[31m", 50) == "a b c d [31m"

    def test_direction_overrides_are_removed(self) -> None:
        assert wording.plain("abc\u202egnp.exe\u2066x\u2069", 50) == "abcgnp.exex"

    def test_hebrew_and_persian_keep_their_letters(self) -> None:
        assert (
            wording.plain("שלום \u0645\u06cc\u200c\u062e\u0648\u0645", 50)
            == "שלום \u0645\u06cc\u200c\u062e\u0648\u0645"
        )

    def test_a_letter_keeps_four_marks(self) -> None:
        assert wording.plain("e" + "\u0316" * 60 + "f", 50) == "e" + "\u0316" * 4 + "f"

    def test_a_long_text_is_cut_and_ends_with_an_ellipsis(self) -> None:
        assert wording.plain("one two three", 8) == "one two…"

    def test_a_cut_does_not_separate_a_letter_from_its_mark(self) -> None:
        assert wording.plain("abq\u0316def", 4) == "ab…"

    def test_a_lone_surrogate_is_replaced(self) -> None:
        assert wording.plain("a\ud800b", 5) == "a\ufffdb"

    @given(st.text(max_size=200), st.integers(2, 80))
    def test_the_result_is_one_clean_line_of_at_most_that_length(self, text: str, length_max: int) -> None:
        line = wording.plain(text, length_max)
        assert len(line) <= length_max
        assert all(unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") for char in line)
        line.encode()

    def test_a_no_break_space_is_kept(self) -> None:
        assert wording.plain(" EUR\u00a01,200 \u2009 now", 50) == "EUR\u00a01,200 now"


class TestTitle:
    def test_a_title_without_a_visible_character_is_replaced(self) -> None:
        assert wording.title("\u200b\u200d\x00", 20) == "(no title)"
        assert wording.title("A kettle", 20) == "A kettle"


class TestShortened:
    def test_a_text_becomes_one_line(self) -> None:
        assert wording.shortened("one  two\nthree", 20) == "one two three"

    def test_a_long_text_is_cut_between_words(self) -> None:
        assert wording.shortened("one two three four", 15) == "one two three…"
        assert len(wording.shortened("word " * 100, 50)) <= 50

    def test_a_long_word_is_cut(self) -> None:
        assert wording.shortened("unbreakable" * 3, 10) == "unbreakab…"
