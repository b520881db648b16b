from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from dashboards import formats

NBSP = "\N{NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (1234567, "1,234,567"), (12.5, "12.5"), (-3, "\N{MINUS SIGN}3"), (None, "\N{EN DASH}"), (8.0, "8")],
)
def test_count(number: float | None, shown: str) -> None:
    assert formats.count(number) == shown


@pytest.mark.parametrize(
    ("fraction", "shown"),
    [
        (0.25, "25.0%"),
        (1, "100.0%"),
        (7.0, "700.0%"),
        (12.5, "1,250.0%"),
        (-0.2551, "\N{MINUS SIGN}25.5%"),
        (-0.0001, "0.0%"),
        (None, "\N{EN DASH}"),
    ],
)
def test_percent(fraction: float | None, shown: str) -> None:
    assert formats.percent(fraction) == shown


def test_money_keeps_its_currency_and_never_parts_from_it() -> None:
    assert formats.money(Decimal("1234567.50"), "EUR") == f"EUR{NBSP}1,234,568"
    assert formats.money(Decimal(-5), "PLN") == f"PLN{NBSP}\N{MINUS SIGN}5"
    assert formats.money(None, "EUR") == "\N{EN DASH}"


@pytest.mark.parametrize(("number", "shown"), [(0, "0"), (1, "fewer than 5"), (4, "fewer than 5"), (5, "5")])
def test_persons_are_not_told_under_five(number: int, shown: str) -> None:
    assert formats.persons(number) == shown


@pytest.mark.parametrize(
    ("number", "unit", "shown"),
    [
        (0.5, "percent", "50.0%"),
        (0.5, "ratio", "50.0%"),
        (9.0, "count", "9"),
        (0.0, "coins", "0"),
        (1.0, "days", f"1{NBSP}day"),
        (2.5, "days", f"2.5{NBSP}days"),
        (1000.0, "money", f"EUR{NBSP}1,000"),
        (None, "percent", "\N{EN DASH}"),
    ],
)
def test_value_is_shown_in_its_unit(number: float | None, unit: str, shown: str) -> None:
    assert formats.value(number, unit, "EUR") == shown


def test_percentages_differ_by_points() -> None:
    assert formats.change(-0.0425, "percent") == f"4.2{NBSP}points"
    assert formats.change(3, "count") == "3"


@pytest.mark.parametrize(
    ("span", "shown"),
    [
        (timedelta(seconds=30), "just now"),
        (timedelta(seconds=-30), "just now"),
        (timedelta(minutes=1), "1 minute ago"),
        (timedelta(hours=25, minutes=59), "1 day ago"),
        (timedelta(hours=5), "5 hours ago"),
    ],
)
def test_age(span: timedelta, shown: str) -> None:
    assert formats.age(span) == shown


def test_days_and_minutes() -> None:
    assert formats.day(date(2026, 6, 3)) == f"3{NBSP}Jun{NBSP}2026"
    assert formats.minute(datetime(2026, 6, 3, 4, 5, tzinfo=UTC)) == f"3{NBSP}Jun{NBSP}2026, 04:05{NBSP}UTC"
    assert formats.day(None) == "\N{EN DASH}"


def test_long_texts_are_cut_at_a_word() -> None:
    assert formats.shortened("one  two\nthree", 20) == "one two three"
    assert formats.shortened("one two three four", 15) == "one two three…"
    assert formats.shortened("unbreakable" * 3, 10) == "unbreakab…"
    assert len(formats.shortened("word " * 100, 50)) <= 50


def test_statuses_are_words() -> None:
    assert formats.status("not_selected") == "Not selected"
    assert formats.status("competing") == "Competing"
