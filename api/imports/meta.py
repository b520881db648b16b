"""Parses and checks the section META."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from pathlib import PurePath

from api.imports.cells import day, known, money, whole
from api.imports.elections import COINS_MAX, BallotKind, Defaults, Rules
from api.imports.errors import Fault
from api.imports.sections import Row, Table
from api.kernel.dates import YEAR_MAX, YEAR_MIN

_KINDS = {kind.value: kind for kind in BallotKind} | {"choose-1": BallotKind.APPROVAL}
_LEADING_YEAR = re.compile(r"[0-9]{4}(?![0-9])")


class Meta:
    """META's values by key. While `faults` is not empty, the other attributes may be missing.

    Keys are read in any case. `supplied` are values that the file leaves out: those that the caller gives, and those that follow
    from other values.
    """

    kind: BallotKind
    is_single: bool
    budget: Decimal | None
    num_projects: int | None
    num_votes: int | None
    first_day: date
    last_day: date

    def __init__(self, table: Table, file_name: str, defaults: Defaults) -> None:
        """Raises Fault if the table has other columns than key and value."""
        if table.columns != ("key", "value"):
            raise Fault(table.header_line, f"META has the columns {';'.join(table.columns)}", "key;value")
        self._header_line = table.header_line
        self._rows: dict[str, Row] = {}
        self.supplied: dict[str, str] = {}
        self.faults = list(table.faults)
        for row in table.rows:
            key = row.values["key"].casefold()
            if key in self._rows:
                reason = f"META names {key!r} again (first on line {self.line(key)})"
                self.faults.append(Fault(row.line, reason, "each key once"))
            self._rows.setdefault(key, row)
        try:
            self._read(file_name, defaults)
        except Fault as fault:
            self.faults.append(fault)

    @property
    def values(self) -> dict[str, str]:
        """The file's values by key in lower case, and the supplied ones."""
        return {key: row.values["value"] for key, row in self._rows.items()} | self.supplied

    def find(self, key: str) -> str | None:
        """The value of a key, None if it is missing or unknown."""
        if key in self.supplied:
            return self.supplied[key]
        return known(self._rows[key].values["value"]) if key in self._rows else None

    def line(self, key: str) -> int:
        """The line of a key, or that of the header if the value is supplied."""
        return self._header_line if key in self.supplied else self._rows[key].line

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

    def _read(self, file_name: str, defaults: Defaults) -> None:
        kind = self._required("vote_type").casefold()
        if kind not in _KINDS:
            raise Fault(self.line("vote_type"), f"vote_type is {kind!r}", f"one of {', '.join(_KINDS)}")
        self.kind = _KINDS[kind]
        self.is_single = kind == "choose-1"
        self.budget = self._money("budget")
        self.num_projects = self._whole("num_projects", least=1)
        self.num_votes = self._whole("num_votes", least=0)
        self._read_days(defaults)
        self._supply("country", defaults.country)
        self._supply("unit", defaults.unit or self.find("description") or PurePath(file_name).stem)
        self._supply("instance", defaults.instance or f"{self.last_day.year}")
        if default := self._whole("default_score"):
            reason = f"default_score is {default}, which stakes coins on ideas that a voter does not name"
            raise Fault(self.line("default_score"), reason, "default_score 0, or none")

    def _read_days(self, defaults: Defaults) -> None:
        if self.find("date_end") is None:
            date_of_vote = defaults.date or self._year_of_instance(defaults)
            self._supply("date_begin", date_of_vote)
            self._supply("date_end", date_of_vote)
        self.last_day = day(self._required("date_end"), "date_end", self.line("date_end"), ends_year=True)
        self.first_day = self.last_day
        if begin := self.find("date_begin"):
            self.first_day = day(begin, "date_begin", self.line("date_begin"), ends_year=False)
        if self.first_day > self.last_day:
            reason = f"date_begin, {self.first_day:%d.%m.%Y}, is after date_end, {self.last_day:%d.%m.%Y}"
            raise Fault(self.line("date_begin"), reason, "the first day of voting, not after the last")

    def _year_of_instance(self, defaults: Defaults) -> str | None:
        """The year with which the instance begins, such as 2023 in `2023 spring`."""
        match = _LEADING_YEAR.match(self.find("instance") or defaults.instance or "")
        return match[0] if match and YEAR_MIN <= int(match[0]) <= YEAR_MAX else None

    def _supply(self, key: str, value: str | None) -> None:
        if self.find(key) is None and value:
            self.supplied[key] = value

    def _required(self, key: str) -> str:
        value = self.find(key)
        if value is None:
            option = "; --date supplies the date of such a file" if key == "date_end" else ""
            raise Fault(self._header_line, f"META has no {key}", f"a value for {key}{option}")
        return value

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
