from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from pipelines import wording

NBSP = "\N{NO-BREAK SPACE}"
DASH = "\N{EN DASH}"
TO = f"\N{THIN SPACE}{DASH}\N{THIN SPACE}"


class TestDay:
    def test_a_day_is_short_and_does_not_break(self) -> None:
        assert wording.day(date(2026, 6, 3)) == f"3{NBSP}Jun{NBSP}2026"
        assert wording.day(None) == "\N{EN DASH}"


class TestMonth:
    def test_a_month_has_its_year(self) -> None:
        assert wording.month(date(2026, 6, 3)) == f"Jun{NBSP}2026"
        assert wording.month_name(date(2026, 6, 3)) == "Jun"


class TestMinute:
    def test_a_moment_is_shown_in_utc(self) -> None:
        moment = datetime(2026, 6, 3, 1, 5, tzinfo=timezone(timedelta(hours=2)))
        assert wording.minute(moment) == f"2{NBSP}Jun{NBSP}2026, 23:05{NBSP}UTC"


class TestSpan:
    def test_equal_months_and_years_are_shown_once(self) -> None:
        assert wording.span(date(2019, 9, 6), date(2019, 9, 25)) == f"6{DASH}25 Sept 2019"
        assert wording.span(date(2019, 8, 6), date(2019, 9, 25)) == f"6 Aug{TO}25 Sept 2019"
        assert wording.span(date(2019, 12, 6), date(2020, 1, 2)) == f"6 Dec 2019{TO}2 Jan 2020"

    def test_one_end_is_until_or_since(self) -> None:
        assert wording.span(None, date(2019, 9, 25)) == f"until 25{NBSP}Sept{NBSP}2019"
        assert wording.span(date(2019, 9, 6), None) == f"since 6{NBSP}Sept{NBSP}2019"
        assert wording.span(None, None) is None

    def test_one_day_is_shown_once(self) -> None:
        moment = datetime(2019, 9, 25, 12, tzinfo=UTC)
        assert wording.span(moment, moment) == "25 Sept 2019"


class TestAge:
    @pytest.mark.parametrize(
        ("length", "shown"),
        [
            (timedelta(seconds=30), "just now"),
            (timedelta(seconds=-30), "just now"),
            (timedelta(minutes=1), "1 minute ago"),
            (timedelta(hours=5), "5 hours ago"),
            (timedelta(hours=25, minutes=59), "1 day ago"),
            (timedelta(days=40), "40 days ago"),
        ],
    )
    def test_an_age_has_one_whole_unit(self, length: timedelta, shown: str) -> None:
        assert wording.age(length) == shown


class TestDuration:
    def test_a_short_duration_is_less_than_a_minute(self) -> None:
        assert wording.duration(timedelta(seconds=59)) == "less than a minute"
        assert wording.duration(timedelta(minutes=90)) == "1 hour"
