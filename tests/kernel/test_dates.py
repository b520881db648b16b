"""The years of dates in requests."""

from __future__ import annotations

from datetime import date, datetime

import pytest
from pydantic import TypeAdapter, ValidationError

from api.kernel.dates import Day, Moment


class TestDay:
    @pytest.mark.parametrize("day", ["1900-01-01", "2200-12-31"])
    def test_these_are_the_first_and_the_last(self, day: str) -> None:
        assert TypeAdapter(Day).validate_json(f'"{day}"') == date.fromisoformat(day)

    @pytest.mark.parametrize("day", ["1899-12-31", "2201-01-01", "0202-05-01", "9999-12-31", "0001-01-01"])
    def test_others_are_refused(self, day: str) -> None:
        with pytest.raises(ValidationError, match="years 1900 to 2200"):
            TypeAdapter(Day).validate_json(f'"{day}"')

    @pytest.mark.parametrize("day", ["1700000000", "2026-05-01T00:00:00Z", "01.05.2026", 5, 1700000000])
    def test_a_day_is_text(self, day: object) -> None:
        with pytest.raises(ValidationError, match="must be a day as text"):
            TypeAdapter(Day).validate_python(day)


class TestMoment:
    @pytest.mark.parametrize("moment", ["1700000000", 1700000000, 5.5, "2026-05-01"])
    def test_a_moment_is_text(self, moment: object) -> None:
        with pytest.raises(ValidationError, match="must be a date and time with a time zone as text"):
            TypeAdapter(Moment).validate_python(moment)

    @pytest.mark.parametrize("moment", ["1900-01-01T00:00:00+00:00", "2200-12-31T23:59:59+00:00"])
    def test_the_years_are_those_of_utc(self, moment: str) -> None:
        assert TypeAdapter(Moment).validate_json(f'"{moment}"') == datetime.fromisoformat(moment)

    @pytest.mark.parametrize(
        "moment",
        [
            "1900-01-01T00:00:00+02:00",
            "2200-12-31T23:59:59-02:00",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-12:00",
        ],
    )
    def test_others_are_refused(self, moment: str) -> None:
        with pytest.raises(ValidationError, match="years 1900 to 2200"):
            TypeAdapter(Moment).validate_json(f'"{moment}"')

    def test_a_moment_has_a_time_zone(self) -> None:
        with pytest.raises(ValidationError, match="timezone"):
            TypeAdapter(Moment).validate_json('"2026-05-01T12:00:00"')
