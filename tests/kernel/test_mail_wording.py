"""Names, moments and lengths of time in mails."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from api.kernel.mail_wording import NAME_LENGTH_MAX, length, moment, one_line, person, spaced
from settings.mail import Language

EN, PL = Language.ENGLISH, Language.POLISH
AT = datetime(2026, 11, 26, 20, 14, tzinfo=UTC)


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


class TestPerson:
    @pytest.mark.parametrize(
        "name", ["Anna", "Zażółć Gęślą-Jaźń", "O'Neil, Jr.", "J. R. R. Tolkien", "李小龍", "👩‍🚀 Anna", 'Anna "Queen"']
    )
    def test_a_name_is_shown(self, name: str) -> None:
        assert person(name) == name

    @pytest.mark.parametrize(
        "name",
        [
            "Win at evil.example",
            "https://evil.example",
            "evil.example/win",
            "eve@example.org",
            "www evil",
            "evil\u3002example",
            "tel:123",
        ],
    )
    def test_what_could_become_a_link_is_left_out(self, name: str) -> None:
        assert person(name) == ""

    def test_is_one_line_without_invisible_characters(self) -> None:
        assert person("Anna\r\n\r\nYou  won\u2028!\x00\u202e\u200b") == "Anna You won !"

    def test_a_long_name_is_cut(self) -> None:
        assert person("x" * 500) == "x" * (NAME_LENGTH_MAX - 1) + "…"
        assert len(person("👩‍🚀" * 100)) <= NAME_LENGTH_MAX

    def test_a_name_from_right_to_left_is_isolated(self) -> None:
        assert person("שרה") == "\u2068שרה\u2069"

    def test_overridden_direction_is_removed(self) -> None:
        assert person("\u202etseuQ\u202c anna") == "tseuQ anna"


class TestMoment:
    @pytest.mark.parametrize(
        ("language", "time_zone", "shown"),
        [
            (EN, "Europe/Warsaw", "26 November 2026 at 21:14 (UTC+01:00)"),
            (EN, "UTC", "26 November 2026 at 20:14 (UTC)"),
            (EN, "Asia/Kolkata", "27 November 2026 at 01:44 (UTC+05:30)"),
            (PL, "Europe/Warsaw", "26 listopada 2026 r. o godz. 21:14 (UTC+01:00)"),
            (PL, "America/New_York", "26 listopada 2026 r. o godz. 15:14 (UTC-05:00)"),
        ],
    )
    def test_is_in_the_readers_language_and_time_zone(self, language: Language, time_zone: str, shown: str) -> None:
        assert plain(moment(AT, language, time_zone)) == shown


class TestLength:
    @pytest.mark.parametrize(
        ("number", "unit", "english", "polish"),
        [
            (1, "minutes", "1 minute", "1 minutę"),
            (15, "minutes", "15 minutes", "15 minut"),
            (22, "minutes", "22 minutes", "22 minuty"),
            (60, "minutes", "1 hour", "1 godzinę"),
            (90, "minutes", "90 minutes", "90 minut"),
            (2, "hours", "2 hours", "2 godziny"),
            (5, "hours", "5 hours", "5 godzin"),
            (12, "hours", "12 hours", "12 godzin"),
            (21, "hours", "21 hours", "21 godzin"),
            (24, "hours", "24 hours", "24 godziny"),
            (48, "hours", "2 days", "2 dni"),
            (2880, "minutes", "2 days", "2 dni"),
            (1, "days", "1 day", "1 dzień"),
            (7, "days", "7 days", "7 dni"),
        ],
    )
    def test_has_the_plural_form_of_the_language(self, number: int, unit: str, english: str, polish: str) -> None:
        assert plain(length(number, unit, EN)) == english
        assert plain(length(number, unit, PL)) == polish


class TestSpaced:
    def test_a_polish_word_of_one_letter_stays_with_the_next_word(self) -> None:
        assert spaced("Hasło i adres z\nkonta", PL) == "Hasło i\u00a0adres z\u00a0konta"
        assert spaced("I have a word", EN) == "I have a word"


class TestOneLine:
    def test_keeps_the_words(self) -> None:
        assert one_line(" a\tb\r\nc ") == "a b c"
