from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reports import wording


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

    def test_a_long_text_is_cut_and_says_so(self) -> None:
        assert wording.plain("one two three", 8) == "one two…"

    def test_a_cut_does_not_part_a_letter_from_its_mark(self) -> None:
        assert wording.plain("abq\u0316def", 4) == "ab…"

    def test_a_lone_surrogate_is_replaced(self) -> None:
        assert wording.plain("a\ud800b", 5) == "a\ufffdb"

    @given(st.text(max_size=200), st.integers(2, 80))
    def test_the_result_is_one_clean_line_of_at_most_that_length(self, text: str, length_max: int) -> None:
        line = wording.plain(text, length_max)
        assert len(line) <= length_max
        assert all(unicodedata.category(char) not in ("Cc", "Cs", "Zl", "Zp") for char in line)
        line.encode()


class TestDrawable:
    def test_polish_french_greek_cyrillic_and_hebrew_are_left_as_they_are(self) -> None:
        text = "Zażółć gęślą jaźń, œuvre à Noël, Ελλάδα, Привет, שלום"
        assert wording.drawable(text, 100) == text

    def test_what_the_fonts_lack_is_marked_once_a_run(self) -> None:
        assert wording.drawable("工具箱 party 🎉👩‍👩‍👧", 50) == f"{wording.UNDRAWN} party {wording.UNDRAWN}"


class TestTitle:
    def test_a_title_without_a_letter_says_so(self) -> None:
        assert wording.title("\u200b\u200d\x00", 20) == "(no title)"
        assert wording.title("A kettle", 20) == "A kettle"


class TestNumbers:
    @pytest.mark.parametrize(
        ("fraction", "shown"),
        [
            (0, "0%"), (1, "100%"), (0.5, "50%"), (0.1239, "12.4%"), (0.0001, "under 0.1%"), (0.99999, "over 99.9%"),
            (1.00001, "just over 100%"), (-0.2, "\u221220%"), (-0.00001, "just below 0%"), (12.5, "1,250%"),
        ],
    )  # fmt: skip
    def test_percent_rounds_nothing_to_0_or_100(self, fraction: float, shown: str) -> None:
        assert wording.percent(fraction) == shown

    @pytest.mark.parametrize(
        ("difference", "shown"),
        [
            (0.05, "+5 points"), (-0.05, "\u22125 points"), (0.01, "+1 point"), (0, "no change"),
            (0.0001, "+<0.1 points"), (-0.1234, "\u221212.3 points"),
        ],
    )  # fmt: skip
    def test_points_carry_their_sign(self, difference: float, shown: str) -> None:
        assert wording.points(difference) == shown

    def test_money_stands_before_its_currency(self) -> None:
        assert wording.money(Decimal("2367122.00"), "PLN") == "2,367,122 PLN"
        assert wording.money(Decimal("-12.50"), "EUR") == "\u221212.50 EUR"

    def test_money_without_a_currency_says_so(self) -> None:
        assert wording.money(5, None) == "5 (currency not known)"

    def test_one_is_singular_and_all_else_plural(self) -> None:
        shown = [wording.counted(n, "idea", "ideas") for n in (0, 1, 2, 1000)]
        assert shown == ["0 ideas", "1 idea", "2 ideas", "1,000 ideas"]


class TestSpan:
    def test_names_month_and_year_once(self) -> None:
        assert wording.span(date(2019, 9, 6), date(2019, 9, 25)) == "6 \u2013 25 September 2019"
        assert wording.span(date(2019, 8, 6), date(2019, 9, 25)) == "6 August \u2013 25 September 2019"
        assert wording.span(date(2019, 12, 6), date(2020, 1, 2)) == "6 December 2019 \u2013 2 January 2020"

    def test_says_which_end_is_missing(self) -> None:
        assert wording.span(None, date(2019, 9, 25)) == "until 25 September 2019"
        assert wording.span(date(2019, 9, 6), None) == "since 6 September 2019"
        assert wording.span(None, None) is None

    def test_a_single_day_stands_alone(self) -> None:
        moment = datetime(2019, 9, 25, 12, tzinfo=UTC)
        assert wording.span(moment, moment) == "25 September 2019"
