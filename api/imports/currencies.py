"""The currency of an election, which files rarely state."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from api.imports.cells import known
from api.imports.errors import CurrencyUnknown
from api.imports.naming import fold

if TYPE_CHECKING:
    from collections.abc import Mapping

_ISO_4217 = re.compile(r"[A-Z]{3}")

# Countries with one currency since Pabulib's first elections (2009). Countries that changed it, such as Croatia and
# Lithuania, are omitted: the currency depends on the year, and the importing user has to state it.
CURRENCIES: dict[str, tuple[str, ...]] = {
    "AUD": ("australia",),
    "BRL": ("brazil",),
    "CAD": ("canada",),
    "CHF": ("switzerland",),
    "CLP": ("chile",),
    "COP": ("colombia",),
    "CZK": ("czechia", "czech-republic"),
    "DKK": ("denmark",),
    "EUR": (
        "austria",
        "belgium",
        "cyprus",
        "finland",
        "france",
        "germany",
        "greece",
        "ireland",
        "italy",
        "luxembourg",
        "malta",
        "netherlands",
        "the-netherlands",
        "portugal",
        "slovakia",
        "slovenia",
        "spain",
    ),
    "GBP": ("united-kingdom", "uk", "great-britain", "england", "scotland", "wales", "northern-ireland"),
    "HUF": ("hungary",),
    "IDR": ("indonesia",),
    "ILS": ("israel",),
    "INR": ("india",),
    "ISK": ("iceland",),
    "JPY": ("japan",),
    "KRW": ("south-korea", "korea-republic-of"),
    "MXN": ("mexico",),
    "NOK": ("norway",),
    "NZD": ("new-zealand",),
    "PEN": ("peru",),
    "PLN": ("poland",),
    "RON": ("romania",),
    "RSD": ("serbia",),
    "SEK": ("sweden",),
    "TWD": ("taiwan",),
    "UAH": ("ukraine",),
    "USD": ("united-states", "united-states-of-america", "usa"),
    "ZAR": ("south-africa",),
}
_BY_COUNTRY = {country: currency for currency, countries in CURRENCIES.items() for country in countries}


def currency_of(meta: Mapping[str, str], chosen: str | None) -> str:
    """ISO 4217 code of an election's currency: `chosen`, otherwise the file's `currency`, otherwise that of its country.

    Raises:
        CurrencyUnknown: none of them is known, or the value is not a code of three capital letters.
    """
    country = meta.get("country", "")
    currency = chosen or known(meta.get("currency", "")) or _BY_COUNTRY.get(fold(country))
    if currency is None:
        msg = f"No currency is known for {country!r}; state it, for example with --currency EUR."
        raise CurrencyUnknown(msg, country=country)
    if not _ISO_4217.fullmatch(currency):
        msg = f"{currency!r} is not a currency: an ISO 4217 code has three capital letters, such as EUR or PLN."
        raise CurrencyUnknown(msg, country=country)
    return currency
