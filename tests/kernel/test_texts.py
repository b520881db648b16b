"""The rule for text, and the types of requests that apply it."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api.kernel.texts import Line, Prose, joined_lines, normalise, prose, single_line

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467"


class TestNormalise:
    def test_equal_words_are_equal_bytes(self) -> None:
        assert normalise("Cafe\u0301") == "Caf\u00e9"

    @pytest.mark.parametrize(
        ("text", "stored"),
        [
            ("\u202egnp.exe", "gnp.exe"),
            ("in\u2066voice\u2069 \u200f7\u200e", "invoice 7"),
            ("soft\u00adware\ufeff", "software"),
            ("zero\u200bwidth\u2060", "zerowidth"),
            ("\u2067 at the ends \u061c", "at the ends"),
        ],
    )
    def test_format_characters_are_removed(self, text: str, stored: str) -> None:
        assert normalise(text) == stored

    @pytest.mark.parametrize(
        "text",
        [
            "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # Persian, with a non-joiner
            "\u0dc1\u0dca\u200d\u0dbb\u0dd3",  # Sinhala, with a joiner
            FAMILY,
            "\u2764\ufe0f\u200d\U0001f525",
        ],
    )
    def test_joiners_inside_a_word_stay(self, text: str) -> None:
        assert normalise(text) == unicodedata.normalize("NFC", text)

    @pytest.mark.parametrize("text", ["\u200cend", "end\u200d", "two \u200d words", "a\u200d\u200db"])
    def test_joiners_outside_a_word_are_removed(self, text: str) -> None:
        assert not {"\u200c", "\u200d"} & set(normalise(text))

    @pytest.mark.parametrize("separator", ["\r\n", "\r", "\v", "\f", "\x85", "\u2028", "\u2029"])
    def test_separators_of_lines_become_line_breaks(self, separator: str) -> None:
        assert normalise(f"one{separator}two") == "one\ntwo"

    @pytest.mark.parametrize(
        "text", ["", " \t\n", "\u200b\u200b", "\u202e", "\u3164\u115f", "\u2800", "\u0301", "\ufe0f", "\u00a0\u3000"]
    )
    def test_a_text_without_visible_characters_is_empty(self, text: str) -> None:
        assert normalise(text) == ""

    @pytest.mark.parametrize("text", ["7", "\u0646", "\u4e2d", "\U0001f389", "!", "\u06dd"])
    def test_one_visible_character_is_enough(self, text: str) -> None:
        assert normalise(text) == text

    @pytest.mark.parametrize("control", ["\x00", "\x07", "\x1b", "\x7f", "\x9b", "\ud800"])
    def test_other_control_characters_are_refused_with_their_place(self, control: str) -> None:
        with pytest.raises(ValueError, match=rf"character 4 \(U\+{ord(control):04X}\)"):
            normalise(f"abc{control}")

    @given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
    def test_a_normalised_text_does_not_change_again(self, text: str) -> None:
        once = normalise(text)
        assert normalise(once) == once


class TestProse:
    def test_it_may_have_several_lines(self) -> None:
        assert prose("one\vtwo\n\tthree ") == "one\ntwo\n\tthree"

    def test_an_invisible_text_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no visible character"):
            prose("\u200b\u200b")


class TestSingleLine:
    @pytest.mark.parametrize("text", ["a\nb", "a\u2028b", "a\vb", "a\tb"])
    def test_line_separators_and_tabs_are_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="single line"):
            single_line(text)

    def test_those_at_the_ends_are_no_part_of_it(self) -> None:
        assert single_line("\u2028title\r\n") == "title"


class TestJoinedLines:
    def test_a_line_break_becomes_a_space(self) -> None:
        assert joined_lines("one \n two\tthree\u00a04") == "one two three\u00a04"


class TestTypes:
    """Requests are validated by these types."""

    def test_they_normalise(self) -> None:
        assert TypeAdapter(Line).validate_python(" \u202etitle\u200b ") == "title"
        assert TypeAdapter(Prose).validate_python("a\u2029b") == "a\nb"

    @pytest.mark.parametrize("kind", [Line, Prose])
    @pytest.mark.parametrize("text", ["\u2063\u2063\u2063", "\x00abc"])
    def test_they_refuse(self, kind: type[str], text: str) -> None:
        with pytest.raises(ValidationError):
            TypeAdapter(kind).validate_python(text)
