from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.reports import charts
from pipelines.reports.content import Content

Read = Callable[[str], Content]


def with_days(content: Content, first: date, coins: list[int]) -> Content:
    days = pl.DataFrame({"day": [first + timedelta(days=n) for n in range(len(coins))], "coins_at_work": coins})
    return replace(content, days=days)


class TestNiceTicks:
    @given(st.floats(0.1, 1e12))
    def test_they_reach_the_highest_value_in_few_equal_steps(self, highest: float) -> None:
        ticks = charts.nice_ticks(highest)
        assert ticks[0] == 0
        assert ticks[-1] >= highest
        assert len(ticks) <= 6
        assert ticks[-1] - ticks[-2] == pytest.approx(ticks[1])

    def test_they_are_round(self) -> None:
        assert charts.nice_ticks(168_636) == [0, 50_000, 100_000, 150_000, 200_000]

    def test_zero_has_an_axis(self) -> None:
        assert charts.nice_ticks(0) == [0, 1]


class TestCoinsOverTime:
    def test_the_line_ranges_from_the_first_day_to_the_last(self, read: Read) -> None:
        line = charts.coins_over_time(with_days(read("tools-we-miss"), date(2026, 1, 1), [0, 50, 100]))
        assert line is not None
        assert line["points"] == [[0, 0], [0.5, 0.5], [1, 1]]
        assert line["end"] == "100"
        assert [tick["label"] for tick in line["x"]] == ["1 Jan", "2 Jan", "3 Jan"]

    def test_one_day_has_no_line(self, read: Read) -> None:
        assert charts.coins_over_time(with_days(read("tools-we-miss"), date(2026, 1, 1), [5])) is None

    def test_several_years_have_few_points_and_ticks_and_the_last_day(self, read: Read) -> None:
        line = charts.coins_over_time(with_days(read("tools-we-miss"), date(2020, 1, 15), list(range(2500))))
        assert line is not None
        assert len(line["points"]) <= 402
        assert line["points"][-1][0] == 1
        assert line["end"] == "2,499"
        assert 3 <= len(line["x"]) <= 9
        assert all(0 <= tick["at"] <= 1 for tick in line["x"])
        assert len({tick["label"] for tick in line["x"]}) == len(line["x"])

    def test_labels_have_the_year_where_it_changes(self, read: Read) -> None:
        line = charts.coins_over_time(with_days(read("tools-we-miss"), date(2025, 10, 3), list(range(200))))
        assert line is not None
        assert [tick["label"] for tick in line["x"]] == ["Nov 2025", "Dec", "Jan 2026", "Feb", "Mar", "Apr"]


class TestConcentration:
    def test_the_smallest_number_of_ideas_with_half_of_the_coins(self, read: Read) -> None:
        content = read("tools-we-miss")
        ideas = content.ideas.head(4).with_columns(coins=pl.Series([10, 50, 25, 15]))
        curve = charts.concentration(replace(content, ideas=ideas))
        assert curve is not None
        assert curve["points"] == [[0, 0], [0.25, 0.5], [0.5, 0.75], [0.75, 0.9], [1, 1]]
        assert curve["headline"] == "1 idea holds half of all coins"
        assert curve["half"] == [0.25, 0.5]

    def test_ideas_without_coins_are_included(self, read: Read) -> None:
        content = read("tools-we-miss")
        ideas = content.ideas.head(4).with_columns(coins=pl.Series([2, 2, 0, 0]))
        curve = charts.concentration(replace(content, ideas=ideas))
        assert curve is not None
        assert curve["points"] == [[0, 0], [0.25, 0.5], [0.5, 1], [1, 1]]

    def test_without_coins_there_is_no_curve(self, read: Read) -> None:
        content = read("tools-we-miss")
        assert charts.concentration(replace(content, ideas=content.ideas.with_columns(coins=pl.lit(0)))) is None
