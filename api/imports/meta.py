"""Parses and checks the section META."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from api.imports.cells import day, known, money, whole
from api.imports.elections import COINS_MAX, BallotKind, Rules
from api.imports.errors import Fault
from api.imports.sections import Row, Table

_REQUIRED = ("country", "unit", "instance", "num_projects", "num_votes", "budget", "vote_type", "date_end")
_KINDS = {kind.value: kind for kind in BallotKind} | {"choose-1": BallotKind.APPROVAL}


class Meta:
    """META's values by key. While `faults` is not empty, the other attributes may be missing."""

    kind: BallotKind
    is_single: bool
    budget: Decimal
    num_projects: int
    num_votes: int
    first_day: date
    last_day: date

    def __init__(self, table: Table) -> None:
        """Raises Fault if the table has other columns than key and value."""
        if table.columns != ("key", "value"):
            raise Fault(table.header_line, f"META has the columns {';'.join(table.columns)}", "key;value")
        self._rows: dict[str, Row] = {}
        self.faults = list(table.faults)
        for row in table.rows:
            key = row.values["key"]
            if key in self._rows:
                reason = f"META names {key!r} again (first on line {self.line(key)})"
                self.faults.append(Fault(row.line, reason, "each key once"))
            self._rows.setdefault(key, row)
        if missing := [key for key in _REQUIRED if self.find(key) is None]:
            reason = f"META has no {', '.join(missing)}"
            self.faults.append(Fault(table.header_line, reason, f"a value for each of {', '.join(_REQUIRED)}"))
            return
        try:
            self._read()
        except Fault as fault:
            self.faults.append(fault)

    @property
    def values(self) -> dict[str, str]:
        """All keys and values, unchanged."""
        return {key: row.values["value"] for key, row in self._rows.items()}

    def find(self, key: str) -> str | None:
        """The value of a key, None if it is missing or unknown."""
        return known(self._rows[key].values["value"]) if key in self._rows else None

    def line(self, key: str) -> int:
        """The line of an existing key."""
        return self._rows[key].line

    def rules(self, projects: int) -> Rules:
        """The limits on a ballot, with Pabulib's defaults for its length in an election with `projects` projects.

        Raises:
            Fault: a limit is not a number, or leaves a member without coins.
        """
        longest = self._whole("max_length", least=1)
        shortest = self._whole("min_length", least=0)
        return Rules(
            min_length=1 if shortest is None else shortest,
            max_length=longest or (1 if self.is_single else projects),
            min_points=self._whole("min_points"),
            max_points=self._coins("max_points"),
            min_sum_points=self._whole("min_sum_points"),
            max_sum_points=self._coins("max_sum_points"),
            min_sum_cost=self._money("min_sum_cost"),
            max_sum_cost=self._money("max_sum_cost"),
        )

    def _read(self) -> None:
        kind = self._required("vote_type").casefold()
        if kind not in _KINDS:
            raise Fault(self.line("vote_type"), f"vote_type is {kind!r}", f"one of {', '.join(_KINDS)}")
        self.kind = _KINDS[kind]
        self.is_single = kind == "choose-1"
        self.budget = money(self._required("budget"), "budget", self.line("budget"))
        self.num_projects = whole(self._required("num_projects"), "num_projects", self.line("num_projects"), least=1)
        self.num_votes = whole(self._required("num_votes"), "num_votes", self.line("num_votes"), least=0)
        self.last_day = day(self._required("date_end"), "date_end", self.line("date_end"), ends_year=True)
        self.first_day = self.last_day
        if begin := self.find("date_begin"):
            self.first_day = day(begin, "date_begin", self.line("date_begin"), ends_year=False)
        if self.first_day > self.last_day:
            reason = f"date_begin, {self.first_day:%d.%m.%Y}, is after date_end, {self.last_day:%d.%m.%Y}"
            raise Fault(self.line("date_begin"), reason, "the first day of voting, not after the last")
        if default := self._whole("default_score"):
            reason = f"default_score is {default}, which stakes coins on ideas that a voter does not name"
            raise Fault(self.line("default_score"), reason, "default_score 0, or none")

    def _required(self, key: str) -> str:
        return self._rows[key].values["value"]

    def _whole(self, key: str, *, least: int | None = None) -> int | None:
        cell = self.find(key)
        return None if cell is None else whole(cell, key, self.line(key), least=least)

    def _coins(self, key: str) -> int | None:
        number = self._whole(key, least=1)
        if number is not None and number > COINS_MAX:
            raise Fault(self.line(key), f"{key} is {number}", f"{COINS_MAX} or less")
        return number

    def _money(self, key: str) -> Decimal | None:
        cell = self.find(key)
        return None if cell is None else money(cell, key, self.line(key))
