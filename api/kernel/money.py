"""Money: amounts in requests and responses, and the currencies of ISO 4217."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Final

from babel.core import get_global
from babel.numbers import get_territory_currencies
from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

DIGITS_MAX: Final = 18
DECIMALS_MAX: Final = 2
"""Digits and decimals that the database stores."""

# Minor units of ISO 4217 that are not 2. CLDR's are those of prices in shops, which often leave decimals out.
_DECIMALS: Final = dict.fromkeys(
    ("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"), 0
) | dict.fromkeys(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3)
_ISO_4217_PUBLISHED_ON: Final = date(1978, 2, 1)
_AMOUNT = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,2})?")


def _legal_tenders() -> frozenset[str]:
    """Codes that were legal tender in a territory since ISO 4217 was published: elections of the past have theirs.

    CLDR has no list of ISO 4217; among its other codes are funds, metals and "no currency".
    """
    today = datetime.now(UTC).date()
    return frozenset(
        str(code)
        for territory in get_global("territory_currencies")
        for code in get_territory_currencies(territory, _ISO_4217_PUBLISHED_ON, today)
    )


CURRENCIES: Final = _legal_tenders()


def check_currency(code: str) -> str:
    """The code, if it is one of ISO 4217.

    Raises:
        ValueError: it is not.
    """
    if code not in CURRENCIES:
        msg = "must be an ISO 4217 code of a currency in three capital letters, such as EUR or PLN"
        raise ValueError(msg)
    return code


def check_decimals(amount: Decimal, currency: str) -> None:
    """Check that an amount is possible in its currency.

    Raises:
        ValueError: it has more decimals than the currency.
    """
    decimals = decimals_of(currency)
    if amount != round(amount, decimals):
        msg = f"{format_amount(amount, currency)} has more decimals than {currency}, which has {decimals}"
        raise ValueError(msg)


def decimals_of(currency: str) -> int:
    """The number of decimals of a currency, its minor unit in ISO 4217."""
    return _DECIMALS.get(currency, 2)


def format_amount(amount: Decimal, currency: str | None) -> str:
    """An amount as decimal text with the decimals of its currency, and never fewer than it has: 1000.00, 1000 for JPY."""
    plain = f"{amount:f}"
    has = len(plain.partition(".")[2].rstrip("0"))
    return f"{amount:.{max(has, decimals_of(currency or ''))}f}"


def _read(value: object) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return Decimal(value)
    # a JSON number with decimals is binary for most parsers, and loses digits
    msg = 'must be a decimal number as text, such as "1200.50", or a whole number'
    raise ValueError(msg)


def _scaled(amount: Decimal) -> Decimal:
    return round(amount, DECIMALS_MAX) + 0  # no minus zero


def _json_schema(sign: str) -> WithJsonSchema:
    whole: dict[str, str | int] = {"type": "integer"} if sign else {"type": "integer", "minimum": 0}
    text: dict[str, str | int] = {"type": "string", "pattern": rf"^{sign}[0-9]{{1,16}}(\.[0-9]{{1,2}})?$"}
    return WithJsonSchema({"anyOf": [text, whole], "examples": ["1200.50"]})


_STORED = Field(max_digits=DIGITS_MAX, decimal_places=DECIMALS_MAX)
Amount = Annotated[Decimal, BeforeValidator(_read), _STORED, AfterValidator(_scaled), _json_schema("-?")]
"""An amount in a request, with the decimals of the column."""

PositiveAmount = Annotated[
    Decimal, BeforeValidator(_read), _STORED, Field(ge=0), AfterValidator(_scaled), _json_schema("")
]
"""An amount of zero or more in a request."""

AmountText = Annotated[str, Field(pattern=r"^-?[0-9]+(\.[0-9]+)?$", examples=["1200.50"])]
"""An amount in a response: :func:`format_amount`."""

Currency = Annotated[
    str,
    AfterValidator(check_currency),
    WithJsonSchema({"type": "string", "enum": sorted(CURRENCIES), "description": "ISO 4217"}),
]
