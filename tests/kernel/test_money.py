"""Amounts and currencies."""

from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import TypeAdapter, ValidationError

from api.kernel.money import Amount, Currency, PositiveAmount, check_decimals, format_amount


class TestCurrency:
    @pytest.mark.parametrize("code", ["EUR", "PLN", "JPY", "KWD", "XAF", "DEM", "BGN"])
    def test_is_one_that_is_or_was_legal_tender(self, code: str) -> None:
        assert TypeAdapter(Currency).validate_python(code) == code

    @pytest.mark.parametrize("code", ["ZZZ", "XXX", "XTS", "XAU", "eur", "EURO", "", "EU"])
    def test_others_are_refused(self, code: str) -> None:
        with pytest.raises(ValidationError, match="ISO 4217"):
            TypeAdapter(Currency).validate_python(code)


class TestAmount:
    @pytest.mark.parametrize(
        ("given", "read"),
        [("1000", "1000.00"), ("1E+3", "1000.00"), ("-12.5", "-12.50"), (7, "7.00"), ("-0", "0.00"), ("0.10", "0.10")],
    )
    def test_has_the_decimals_of_the_column(self, given: object, read: str) -> None:
        assert str(TypeAdapter(Amount).validate_python(given)) == read

    @pytest.mark.parametrize(
        "given", [0.1, 5.0, True, "NaN", "Infinity", "1_000", " 5", "", "0x1", "1.005", "1E99", "1" * 17]
    )
    def test_others_are_refused(self, given: object) -> None:
        with pytest.raises(ValidationError):
            TypeAdapter(Amount).validate_python(given)

    def test_a_positive_one_has_no_sign(self) -> None:
        with pytest.raises(ValidationError):
            TypeAdapter(PositiveAmount).validate_python("-1")


class TestFormatAmount:
    @pytest.mark.parametrize(
        ("amount", "currency", "text"),
        [
            ("1E+3", "EUR", "1000.00"), ("1000.00", "JPY", "1000"), ("1000.5", "EUR", "1000.50"), ("1.5", "KWD", "1.500"),
            ("1000.50", "JPY", "1000.5"), ("0", None, "0.00"), ("-3.10", "PLN", "-3.10"),
        ],
    )  # fmt: skip
    def test_has_the_decimals_of_the_currency_and_loses_none(
        self, amount: str, currency: str | None, text: str
    ) -> None:
        assert format_amount(Decimal(amount), currency) == text


class TestCheckDecimals:
    def test_refuses_more_decimals_than_the_currency_has(self) -> None:
        check_decimals(Decimal("10.00"), "JPY")
        check_decimals(Decimal("10.55"), "KWD")
        with pytest.raises(ValueError, match=r"10\.5 has more decimals than JPY, which has 0"):
            check_decimals(Decimal("10.50"), "JPY")
