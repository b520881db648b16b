"""The values of the keys of a filter: how each kind is read from text and written as text.

A kind reads a text of the grammar (`read`) and raises ValueError with a phrase that says what is expected. `write` is its
inverse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, Protocol
from uuid import UUID

from api.kernel.dates import YEAR_MAX, YEAR_MIN
from api.kernel.texts import single_line

NAME_LENGTH_MAX = 200
TEXT_LENGTH_MAX = 200
NUMBER_MAX = 1_000_000_000_000
DAYS_MAX = 36_500
ME, NONE = "me", "none"

_PLAIN = re.compile(r"[^\s\",:-][^\s\",:]*")
_RANGE = re.compile(r"(?P<low>.*?)\.\.(?P<high>.*)")
_COMPARISON = re.compile(r"(?P<sign>>=|<=|>|<)(?P<value>.*)")
_RELATIVE = re.compile(r"@today(?:(?P<sign>[+-])(?P<days>[0-9]{1,5})d)?")
_INTEGER = re.compile(r"[0-9]{1,13}")
_AMOUNT = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,2})?")
_CENT = Decimal("0.01")


class Kind(Protocol):
    """How the values of a key are read and written."""

    @property
    def form(self) -> str:
        """What a value is, for the documentation."""

    @property
    def length_max(self) -> int:
        """The characters of the longest value."""

    def read(self, text: str) -> Any:
        """The value of a text of the grammar.

        Raises:
            ValueError: the text is no such value; the message says what is expected.
        """

    def write(self, value: Any) -> str:
        """The text of a value in the grammar."""


def quoted(text: str) -> str:
    """A text in the grammar: in quotation marks, unless it is one plain word."""
    if _PLAIN.fullmatch(text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


@dataclass(frozen=True)
class OneOf:
    """One of a closed set of names."""

    names: tuple[str, ...]

    @property
    def form(self) -> str:
        """What a value is, for the documentation."""
        return ", ".join(f"`{name}`" for name in self.names)

    @property
    def length_max(self) -> int:
        """The characters of the longest name."""
        return max(map(len, self.names))

    def read(self, text: str) -> str:
        """One of the names, in any case."""
        found = text.lower()
        if found not in self.names:
            msg = f"must be one of {', '.join(self.names)}"
            raise ValueError(msg)
        return found

    def write(self, value: str) -> str:
        """The name."""
        return value


@dataclass(frozen=True)
class Name:
    """A name that people gave, in any case."""

    length_max: int = NAME_LENGTH_MAX
    form: str = "a name, in any case"

    def read(self, text: str) -> str:
        """The name in its normal form."""
        found = single_line(text)
        if not found:
            msg = "must not be empty"
            raise ValueError(msg)
        if len(found) > self.length_max:
            msg = f"must have at most {self.length_max} characters"
            raise ValueError(msg)
        return found

    def write(self, value: str) -> str:
        """The name, in quotation marks if it needs them."""
        return quoted(value)


@dataclass(frozen=True)
class Person:
    """A user by id, the caller, or no person."""

    form: str = "the id of a user, `me`, or `none`"
    length_max: int = len("urn:uuid:") + 36

    def read(self, text: str) -> UUID | str:
        """An id, or one of the two words."""
        if text.lower() in {ME, NONE}:
            return text.lower()
        try:
            return UUID(text)
        except ValueError:
            msg = "must be the id of a user, me, or none"
            raise ValueError(msg) from None

    def write(self, value: UUID | str) -> str:
        """The id or the word."""
        return str(value)


@dataclass(frozen=True)
class Range:
    """Values from `low` to `high`, both included; None is no limit."""

    low: Any = None
    high: Any = None


@dataclass(frozen=True)
class Today:
    """The present day in the time zone of the campaign, plus a number of days."""

    days: int = 0

    def __str__(self) -> str:
        """The text in the grammar."""
        return f"@today{self.days:+d}d" if self.days else "@today"


class _Ordered:
    """A kind whose values are ranges; subclasses read and shift one limit."""

    what: str
    length_max = len("9999999999999999.99")

    @property
    def form(self) -> str:
        """What a value is, for the documentation."""
        return f"{self.what}: a value, `>x`, `>=x`, `<x`, `<=x`, `x..y`, `x..` or `..y`"

    def read(self, text: str) -> Range:
        """A range, with both limits included."""
        if compared := _COMPARISON.fullmatch(text):
            limit, sign = self.read_limit(compared["value"]), compared["sign"]
            if sign in {">", "<"}:
                limit = self._beside(limit, 1 if sign == ">" else -1, text)
            return Range(low=limit) if sign[0] == ">" else Range(high=limit)
        if between := _RANGE.fullmatch(text):
            low, high = (self.read_limit(each) if each else None for each in between.group("low", "high"))
            if low is None and high is None:
                msg = "must have a limit before or after the two dots"
                raise ValueError(msg)
            self.check_order(low, high)
            return Range(low, high)
        limit = self.read_limit(text)
        return Range(limit, limit)

    def _beside(self, limit: Any, steps: int, text: str) -> Any:
        """The limit of a range that excludes `limit`; what is written must be read again.

        Raises:
            ValueError: there is no value beyond the limit.
        """
        shifted = self.shift(limit, steps)
        try:
            return self.read_limit(str(shifted))
        except ValueError:
            msg = f"must leave values to find; no value is {text}"
            raise ValueError(msg) from None

    def write(self, value: Range) -> str:
        """The range in its shortest form."""
        if value.low == value.high:
            return str(value.low)
        low, high = ("" if each is None else str(each) for each in (value.low, value.high))
        return f"{low}..{high}"

    def check_order(self, low: Any, high: Any) -> None:
        """Refuse a range that is empty.

        Raises:
            ValueError: the lower limit is above the upper one.
        """
        if low is not None and high is not None and type(low) is type(high) and _position(low) > _position(high):
            msg = f"must not begin above its end, {high}"
            raise ValueError(msg)

    def read_limit(self, text: str) -> Any:
        """One limit of a range."""
        raise NotImplementedError

    def shift(self, limit: Any, steps: int) -> Any:
        """The next value above or below a limit."""
        raise NotImplementedError


def _position(limit: Any) -> Any:
    return limit.days if isinstance(limit, Today) else limit


class Integers(_Ordered):
    """A range of numbers from 0."""

    what = "a number"

    def read_limit(self, text: str) -> int:
        """A number without sign."""
        if not _INTEGER.fullmatch(text) or int(text) > NUMBER_MAX:
            msg = f"must be a number from 0 to {NUMBER_MAX}, or a range such as 10..20 or >=10"
            raise ValueError(msg)
        return int(text)

    def shift(self, limit: int, steps: int) -> int:
        """The number plus `steps`; below 0 there is none, which no idea has."""
        return limit + steps


class Amounts(_Ordered):
    """A range of amounts of money with two decimals."""

    what = "an amount"

    def read_limit(self, text: str) -> Decimal:
        """An amount without sign."""
        if not _AMOUNT.fullmatch(text):
            msg = "must be an amount such as 2500 or 2500.50, or a range such as 100..2500 or >=100"
            raise ValueError(msg)
        return Decimal(text)

    def shift(self, limit: Decimal, steps: int) -> Decimal:
        """The amount plus `steps` hundredths."""
        return limit + steps * _CENT


class Days(_Ordered):
    """A range of days in the time zone of the campaign."""

    what = "a day such as `2026-05-01`, or `@today`, `@today-7d`, `@today+14d`"

    def read_limit(self, text: str) -> date | Today:
        """A day, or one relative to today."""
        if relative := _RELATIVE.fullmatch(text):
            days = int(relative["days"] or 0)
            if days > DAYS_MAX:
                msg = f"must be at most {DAYS_MAX} days from today"
                raise ValueError(msg)
            return Today(-days if relative["sign"] == "-" else days)
        try:
            day = date.fromisoformat(text) if len(text) == len("2026-05-01") else None
        except ValueError:
            day = None
        if day is None or not YEAR_MIN <= day.year <= YEAR_MAX:
            msg = "must be a day such as 2026-05-01 or @today-7d, or a range such as 2026-01-01..2026-02-01"
            raise ValueError(msg)
        return day

    def shift(self, limit: date | Today, steps: int) -> date | Today:
        """The day after or before."""
        if isinstance(limit, Today):
            return Today(limit.days + steps)
        return limit + timedelta(days=steps)


def resolve_day(limit: date | Today, today: date) -> date:
    """The day of a limit."""
    return today + timedelta(days=limit.days) if isinstance(limit, Today) else limit


def choices(conditions: Mapping[str, Any]) -> OneOf:
    """The kind of a key whose names have a condition each."""
    return OneOf(tuple(conditions))


def listed(names: Sequence[str]) -> str:
    """Names as text in SQL; only for names of closed sets in the code."""
    return ", ".join(f"'{name}'" for name in names)
