"""The currency of an election, which files rarely state."""

from __future__ import annotations

from datetime import date
from functools import cache
from typing import TYPE_CHECKING

from babel import Locale
from babel.numbers import get_territory_currencies

from api.imports.cells import known
from api.imports.errors import CurrencyUnknown
from api.kernel.money import CURRENCIES
from api.kernel.slugs import transliterate

if TYPE_CHECKING:
    from collections.abc import Mapping

# Names of countries that Babel's English list does not have, transliterated, with their ISO 3166 code.
_OTHER_NAMES = {
    "bosnia-and-herzegovina": "BA",
    "czech-republic": "CZ",
    "england": "GB",
    "great-britain": "GB",
    "korea-republic-of": "KR",
    "northern-ireland": "GB",
    "scotland": "GB",
    "the-netherlands": "NL",
    "turkey": "TR",
    "uk": "GB",
    "united-states-of-america": "US",
    "usa": "US",
    "wales": "GB",
}
# Changes of currency that Babel 2.18 does not have: the code since that day.
_CHANGES = {"BG": (date(2026, 1, 1), "EUR")}


def currency_of(meta: Mapping[str, str], chosen: str | None, *, first_day: date, last_day: date) -> str:
    """ISO 4217 code of an election's currency: `chosen`, otherwise the file's `currency`, otherwise that of its country.

    A country's currency is its legal tender on the days of the vote, if there is only one.

    Raises:
        CurrencyUnknown: none of them is known, or the value is not a code of three capital letters.
    """
    country = meta.get("country", "")
    currency = chosen or known(meta.get("currency", "")) or _tender_of(country, first_day, last_day)
    if currency is None:
        msg = (
            f"No currency is known for {country!r}; state it, for example with --currency EUR."
            if country
            else "The file has neither a country nor a currency; state one, with --country or --currency."
        )
        raise CurrencyUnknown(msg, country=country)
    if currency not in CURRENCIES:
        msg = f"{currency!r} is not a currency: an ISO 4217 code has three capital letters, such as EUR or PLN."
        raise CurrencyUnknown(msg, country=country)
    return currency


def _tender_of(country: str, first_day: date, last_day: date) -> str | None:
    """The country's one legal tender from the first to the last day; None if it is unknown or has several."""
    territory = _territories().get(transliterate(country))
    if territory is None:
        return None
    changed_on, changed_to = _CHANGES.get(territory, (date.max, ""))
    if first_day >= changed_on:
        return changed_to
    if last_day >= changed_on:
        return None
    currencies = get_territory_currencies(territory, first_day, last_day)
    return str(currencies[0]) if len(currencies) == 1 else None


@cache
def _territories() -> dict[str, str]:
    """ISO 3166 codes by the transliterated English names of countries."""
    names = {transliterate(name): code for code, name in Locale("en").territories.items() if len(code) == 2}
    return names | _OTHER_NAMES
