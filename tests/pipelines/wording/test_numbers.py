from __future__ import annotations

from decimal import Decimal

import pytest

from pipelines import wording

NBSP = "\N{NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
DASH = "\N{EN DASH}"


class TestCount:
    @pytest.mark.parametrize(
        ("number", "shown"),
        [
            (0, "0"), (1234567, "1,234,567"), (12.5, "12.5"), (8.0, "8"), (-3, f"{MINUS}3"), (-0.01, "0"), (None, DASH),
        ],
    )  # fmt: skip
    def test_a_number_has_commas_and_at_most_one_decimal(self, number: float | None, shown: str) -> None:
        assert wording.count(number) == shown


class TestCounted:
    def test_only_one_is_singular(self) -> None:
        shown = [wording.counted(n, "idea", "ideas") for n in (0, 1, 2, 1000)]
        assert shown == ["0 ideas", "1 idea", "2 ideas", "1,000 ideas"]


class TestPercent:
    @pytest.mark.parametrize(
        ("fraction", "shown"),
        [
            (0, "0%"), (1, "100%"), (0.5, "50%"), (0.1239, "12.4%"), (0.0001, "under 0.1%"), (0.99999, "over 99.9%"),
            (1.00001, "just over 100%"), (-0.2, f"{MINUS}20%"), (-0.2551, f"{MINUS}25.5%"), (-0.00001, "just below 0%"),
            (12.5, "1,250%"), (-0.0, "0%"), (None, DASH),
        ],
    )  # fmt: skip
    def test_no_fraction_is_rounded_to_0_or_100(self, fraction: float | None, shown: str) -> None:
        assert wording.percent(fraction) == shown


class TestMoney:
    @pytest.mark.parametrize(
        ("number", "currency", "shown"),
        [
            (Decimal("2367122.00"), "PLN", f"PLN{NBSP}2,367,122"),
            (Decimal("12.50"), "EUR", f"EUR{NBSP}12.50"),
            (Decimal("12.999"), "EUR", f"EUR{NBSP}13"),
            (Decimal("-12.50"), "EUR", f"{MINUS}EUR{NBSP}12.50"),
            (Decimal("12.75"), "JPY", f"JPY{NBSP}13"),
            (Decimal("1.5"), "KWD", f"KWD{NBSP}1.500"),
            (5, None, "5 (currency not known)"),
            (None, "EUR", DASH),
        ],
    )
    def test_an_amount_follows_its_currency(self, number: Decimal | None, currency: str | None, shown: str) -> None:
        assert wording.money(number, currency) == shown


class TestAmount:
    def test_the_currency_decides_the_decimals(self) -> None:
        shown = [wording.amount(Decimal("1234.5"), currency) for currency in ("EUR", "JPY", "KWD", None)]
        assert shown == ["1,234.50", "1,234", "1,234.500", "1,234.50"]

    def test_a_whole_amount_has_no_decimals(self) -> None:
        assert wording.amount(Decimal("-1234.00"), "EUR") == f"{MINUS}1,234"
        assert wording.amount(None) == DASH


class TestValue:
    @pytest.mark.parametrize(
        ("number", "unit", "shown"),
        [
            (0.5, "percent", "50%"),
            (0.5, "ratio", "50%"),
            (9.0, "count", "9"),
            (0.0, "coins", "0"),
            (1.0, "days", f"1{NBSP}day"),
            (4.26, "days", f"4.3{NBSP}days"),
            (1000.0, "money", f"EUR{NBSP}1,000"),
            (None, "percent", DASH),
        ],
    )
    def test_a_value_has_the_format_of_its_unit(self, number: float | None, unit: str, shown: str) -> None:
        assert wording.value(number, unit, "EUR") == shown


class TestDifference:
    def test_percentages_differ_by_points(self) -> None:
        assert wording.difference(-0.0425, "percent") == f"4.2{NBSP}points"
        assert wording.difference(0.01, "ratio") == f"1{NBSP}point"
        assert wording.difference(0.0001, "percent") == f"<0.1{NBSP}points"

    def test_other_values_differ_by_their_unit(self) -> None:
        assert wording.difference(-3, "count") == "3"
        assert wording.difference(-40, "money", "EUR") == f"EUR{NBSP}40"


class TestSigned:
    @pytest.mark.parametrize(
        ("number", "unit", "shown"),
        [
            (0.05, "percent", f"+5{NBSP}points"),
            (-0.1234, "ratio", f"{MINUS}12.3{NBSP}points"),
            (0.0001, "percent", f"+<0.1{NBSP}points"),
            (-3, "count", f"{MINUS}3"),
            (0, "days", "no change"),
        ],
    )
    def test_a_change_has_its_sign(self, number: float, unit: str, shown: str) -> None:
        assert wording.signed(number, unit) == shown
