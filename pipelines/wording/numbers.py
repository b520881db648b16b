"""Numbers, percentages and amounts of money. Negative numbers have a minus sign (U+2212), not a hyphen."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from babel import Locale
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_precision
from babel.units import format_unit

from pipelines.wording.terms import NONE, NOT_KNOWN

LOCALE: Final = Locale("en", "GB")
SPACE: Final = "\N{NO-BREAK SPACE}"
_MINUS: Final = "\N{MINUS SIGN}"
_NUMBER: Final = "#,##0.#"
_PERCENT: Final = "#,##0.#%"
_CENTS_WITHOUT_CURRENCY: Final = 2


def count(number: float | None) -> str:
    """A number with commas as thousands separators, and one decimal if it is not whole."""
    return NONE if number is None else _with_minus(format_decimal(number, _NUMBER, locale=LOCALE))


def counted(number: int, one: str, many: str) -> str:
    """A number with its noun: "1 idea", "2 ideas"."""
    return f"{count(number)} {one if number == 1 else many}"


def percent(fraction: float | None) -> str:
    """A fraction as percent with at most one decimal. Only exactly 0 and exactly 1 are shown as 0% and 100%."""
    if fraction is None:
        return NONE
    text = _with_minus(format_percent(fraction, _PERCENT, locale=LOCALE))
    if text in ("0%", f"{_MINUS}0%") and fraction != 0:
        return "under 0.1%" if fraction > 0 else "just below 0%"
    if text == "100%" and fraction != 1:
        return "over 99.9%" if fraction < 1 else "just over 100%"
    return text.replace(f"{_MINUS}0%", "0%") if fraction == 0 else text


def amount(number: Decimal | float | None, currency: str | None = None) -> str:
    """An amount of money without its currency. Whole amounts have no decimals; others have as many as `currency` uses."""
    if number is None:
        return NONE
    return _with_minus(format_decimal(number, _amount_pattern(number, currency), locale=LOCALE))


def money(number: Decimal | float | None, currency: str | None) -> str:
    """An amount after its currency's code: EUR 1,200. A missing currency is shown as not known."""
    if number is None:
        return NONE
    if not currency:
        return f"{amount(number)} (currency {NOT_KNOWN})"
    pattern = f"\N{CURRENCY SIGN}\N{CURRENCY SIGN}{SPACE}{_amount_pattern(number, currency)}"
    return _with_minus(format_currency(number, currency, pattern, locale=LOCALE, currency_digits=False))


def value(number: float | None, unit: str, currency: str | None = None) -> str:
    """A figure's value in its unit: percent, ratio, count, coins, days or money."""
    if number is None:
        return NONE
    if unit in ("percent", "ratio"):
        return percent(number)
    if unit == "money":
        return money(number, currency)
    if unit == "days":
        return _with_minus(format_unit(number, "duration-day", format=_NUMBER, locale=LOCALE)).replace(" ", SPACE)
    return count(number)


def difference(number: float, unit: str, currency: str | None = None) -> str:
    """The size of a difference between two values of a unit. Percentages differ by points."""
    if unit not in ("percent", "ratio"):
        return value(abs(number), unit, currency)
    points = count(abs(number) * 100)
    if points == "0" and number:
        points = "<0.1"
    return f"{points}{SPACE}{'point' if points == '1' else 'points'}"


def signed(number: float, unit: str, currency: str | None = None) -> str:
    """A difference between two values of a unit, with its sign; "no change" for 0."""
    if number == 0:
        return "no change"
    return f"{'+' if number > 0 else _MINUS}{difference(number, unit, currency)}"


def _amount_pattern(number: Decimal | float, currency: str | None) -> str:
    decimals = get_currency_precision(currency) if currency else _CENTS_WITHOUT_CURRENCY
    rounded = round(Decimal(str(number)), decimals)
    is_whole = decimals == 0 or rounded == rounded.to_integral_value()
    return "#,##0" if is_whole else f"#,##0.{'0' * decimals}"


def _with_minus(text: str) -> str:
    """Replace the hyphen by a minus sign; a number that rounds to 0 gets none."""
    return "0" if text == "-0" else text.replace("-", _MINUS)
