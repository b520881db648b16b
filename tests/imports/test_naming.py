"""Names and currency of an imported election."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from api.imports.currencies import currency_of
from api.imports.errors import CurrencyUnknown
from api.imports.naming import election_key, slugs_of, title_of

SHA256 = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
BEMOWO = {"country": "Poland", "unit": "Warszawa", "subunit": "Bemowo", "instance": "2019"}


class TestElectionKey:
    def test_spelling_does_not_matter(self) -> None:
        kinds = [("Gdańsk", "PIECKI MIGOWO"), ("GDANSK", "Piecki-Migowo"), ("Gdan\u0301sk", " Piecki  Migowo ")]
        keys = {election_key({"country": "Poland", "unit": u, "subunit": s, "instance": "2020"}) for u, s in kinds}
        assert keys == {"poland/gdansk/piecki-migowo/2020/"}

    def test_the_subunit_keeps_its_position(self) -> None:
        assert election_key({"country": "Poland", "unit": "Łódź", "instance": "2020"}) == "poland/lodz//2020/"

    def test_the_description_is_a_part(self) -> None:
        keys = [election_key(BEMOWO | {"description": name}) for name in ("Schools", "Streets", "STREETS ", "null")]
        assert keys == [f"poland/warszawa/bemowo/2019/{part}" for part in ("schools", "streets", "streets", "")]

    def test_other_scripts_are_distinguished(self) -> None:
        keys = {
            election_key({"country": "Japan", "unit": unit, "instance": "1"}) for unit in ("東京", "大阪", "か", "が")
        }
        assert len(keys) == 4


def first_slug(meta: dict[str, str]) -> str:
    return next(slugs_of(meta, SHA256))


class TestSlugsOf:
    def test_they_are_ascii(self) -> None:
        assert first_slug(BEMOWO) == "poland-warszawa-bemowo-2019"
        norway = {"country": "Norway", "unit": "Tromsø, Æ", "instance": "2024/25"}
        assert first_slug(norway) == "norway-tromso-ae-2024-25"

    @pytest.mark.parametrize(
        ("country", "units", "slugs"),
        [
            ("Bulgaria", ("Пловдив", "Русе"), ["bulgaria-plovdiv-7", "bulgaria-ruse-7"]),  # noqa: RUF001 - Cyrillic
            ("Greece", ("Πάτρα", "Βόλος"), ["greece-patra-7", "greece-volos-7"]),
            ("Turkey", ("Diyarbakır", "Iğdır"), ["turkey-diyarbakir-7", "turkey-igdir-7"]),  # noqa: RUF001 - the dotless i
            ("South Korea", ("수원", "대구"), ["south-korea-suwon-7", "south-korea-daegu-7"]),
        ],
    )
    def test_units_in_any_script_are_distinguished(
        self, country: str, units: tuple[str, str], slugs: list[str]
    ) -> None:
        assert [first_slug({"country": country, "unit": unit, "instance": "7"}) for unit in units] == slugs

    def test_a_long_place_loses_its_middle_and_not_the_year(self) -> None:
        streets = "Ulica Długa, Krótka, Szeroka, Wąska, Stara, Nowa, Zielona, Cicha, Leśna, Polna, Ogrodowa, Parkowa"
        slugs = {
            first_slug(BEMOWO | {"subunit": f"{streets} {end}", "instance": year})
            for end in ("Wschód", "Zachód")
            for year in ("2023", "2024")
        }
        assert len(slugs) == 4
        assert all(slug.startswith("poland-warszawa-ulica-dluga-") for slug in slugs)
        assert {slug.rpartition("-")[2] for slug in slugs} == {"2023", "2024"}
        assert {slug.split("-")[-2] for slug in slugs} == {"wschod", "zachod"}

    def test_the_second_contains_what_the_description_adds(self) -> None:
        slugs = slugs_of(BEMOWO | {"description": "Bemowo: schools, 2019"}, SHA256)
        assert list(slugs) == [
            "poland-warszawa-bemowo-2019",
            "poland-warszawa-bemowo-2019-schools",
            f"poland-warszawa-bemowo-2019-{SHA256[:6]}",
            f"poland-warszawa-bemowo-2019-{SHA256[:32]}",
        ]

    @given(
        st.dictionaries(
            st.sampled_from(["country", "unit", "subunit", "instance", "description"]), st.text(max_size=120)
        )
    )
    @example({"instance": "7" * 200, "unit": "x" * 200})
    @example({})
    def test_they_always_satisfy_the_constraints(self, meta: dict[str, str]) -> None:
        slugs = list(slugs_of(meta, SHA256))
        assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in slugs)
        assert all(3 <= len(slug) <= 100 for slug in slugs)
        assert slugs[-1].endswith(SHA256[:32])


class TestTitleOf:
    @pytest.mark.parametrize(
        ("meta", "title"),
        [
            (BEMOWO, "Warszawa, Bemowo, 2019"),
            (BEMOWO | {"description": "District PB in Warsaw, Bemowo"}, "District PB in Warsaw, Bemowo, 2019"),
            (BEMOWO | {"description": "Bemowo votes, 2019"}, "Bemowo votes, 2019"),
        ],
    )
    def test_it_is_the_description_and_the_instance(self, meta: dict[str, str], title: str) -> None:
        assert title_of(meta) == title

    def test_a_long_one_is_cut_before_the_instance(self) -> None:
        title = title_of(BEMOWO | {"description": "word " * 100})
        assert len(title) <= 200
        assert title.endswith("…, 2019")


def currency_in(meta: dict[str, str], chosen: str | None = None, *, first: str = "2019-10-01", last: str = "") -> str:
    first_day = date.fromisoformat(first)
    return currency_of(meta, chosen, first_day=first_day, last_day=date.fromisoformat(last) if last else first_day)


class TestCurrencyOf:
    def test_a_given_currency_has_precedence(self) -> None:
        assert currency_in({"country": "Poland", "currency": "EUR"}, "USD") == "USD"

    def test_then_the_files_own(self) -> None:
        assert currency_in({"country": "Poland", "currency": "EUR"}) == "EUR"

    def test_then_the_countrys(self) -> None:
        assert [currency_in({"country": c}) for c in ("Poland", "france", "United States")] == ["PLN", "EUR", "USD"]

    @pytest.mark.parametrize(
        ("country", "currency"),
        [
            ("Czech Republic", "CZK"),
            ("The Netherlands", "EUR"),
            ("UK", "GBP"),
            ("Scotland", "GBP"),
            ("Korea, Republic of", "KRW"),
            ("USA", "USD"),
            ("Switzerland", "CHF"),
        ],
    )
    def test_a_country_has_several_names(self, country: str, currency: str) -> None:
        assert currency_in({"country": country}) == currency

    @pytest.mark.parametrize(
        ("country", "day", "currency"),
        [
            ("Croatia", "2020-05-01", "HRK"),
            ("Croatia", "2024-05-01", "EUR"),
            ("Lithuania", "2014-12-31", "LTL"),
            ("Lithuania", "2015-01-01", "EUR"),
            ("Bulgaria", "2025-12-31", "BGN"),
            ("Bulgaria", "2026-01-01", "EUR"),
        ],
    )
    def test_the_countrys_is_that_of_the_days_of_the_vote(self, country: str, day: str, currency: str) -> None:
        assert currency_in({"country": country}, first=day) == currency

    @pytest.mark.parametrize(
        ("country", "first", "last"),
        [
            ("Croatia", "2022-12-20", "2023-01-20"),
            ("Bulgaria", "2025-12-31", "2026-01-01"),
            ("Panama", "2020-01-01", "2020-01-31"),
        ],
    )
    def test_several_legal_tenders_are_ambiguous(self, country: str, first: str, last: str) -> None:
        with pytest.raises(CurrencyUnknown, match="--currency"):
            currency_in({"country": country}, first=first, last=last)

    @pytest.mark.parametrize("country", ["Worldwide", "Ruritania", "Antarctica", ""])
    def test_otherwise_it_must_be_given(self, country: str) -> None:
        with pytest.raises(CurrencyUnknown, match="--currency"):
            currency_in({"country": country})

    @pytest.mark.parametrize("code", ["zł", "pln", "PL", "EURO"])
    def test_a_code_has_three_capital_letters(self, code: str) -> None:
        with pytest.raises(CurrencyUnknown, match="ISO 4217"):
            currency_in({"country": "Poland"}, code)
