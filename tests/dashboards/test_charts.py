from __future__ import annotations

from html import unescape
from typing import TYPE_CHECKING

import polars as pl
import pytest

from dashboards import charts
from pipelines import marts
from pipelines.marts import Scope
from tests.factories.marts import write_snapshot
from tests.factories.marts_world import HOSTILE_TITLE, campaign_id

if TYPE_CHECKING:
    from collections.abc import Iterator

    import plotly.graph_objects as go

GREENER = campaign_id("greener-offices")


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[marts.Marts]:
    folder = tmp_path_factory.mktemp("charts")
    write_snapshot(folder)
    with marts.open_snapshot(folder, Scope.ALL) as reader:
        yield reader


def markup_of(figure: go.Figure) -> str:
    """All text of a chart that could be interpreted as markup."""
    text: str = figure.to_json()
    return text.replace("\\u003c", "<").replace("\\u003e", ">").replace("<br>", "").replace("<extra></extra>", "")


@pytest.mark.parametrize(
    "text",
    [HOSTILE_TITLE, "a < b & c > d", "&lt;b&gt;", "%{x} and %{customdata[0]}", "<script>alert(1)</script>", "אבג 工具"],
)
def test_plain_escapes_a_text_without_a_change_of_its_meaning(text: str) -> None:
    escaped = charts.plain(text)
    assert "<" not in escaped
    assert "%{" not in escaped
    assert unescape(escaped).replace("\N{ZERO WIDTH SPACE}", "") == text


class TestIdeasByCoins:
    def test_bars_equal_the_coins(self, reader: marts.Marts) -> None:
        ideas = reader.ideas(GREENER)
        figure = charts.ideas_by_coins(ideas)
        drawn = {idea: coins for bar in figure.data for idea, coins in zip(bar.y, bar.x, strict=True)}
        assert drawn == dict(ideas.select("idea_id", "coins").iter_rows())

    def test_titles_are_escaped(self, reader: marts.Marts) -> None:
        assert "<" not in markup_of(charts.ideas_by_coins(reader.ideas(GREENER)))

    def test_equal_titles_have_separate_rows(self, reader: marts.Marts) -> None:
        ideas = reader.ideas(GREENER).with_columns(title=pl.lit("The same"))
        figure = charts.ideas_by_coins(ideas)
        assert len(figure.layout.yaxis.tickvals) == ideas.height
        assert sum(len(bar.y) for bar in figure.data) == ideas.height


class TestCoinsOverTime:
    def test_the_line_shows_the_running_total(self, reader: marts.Marts) -> None:
        days = reader.coins_over_time(GREENER)
        (line,) = charts.coins_over_time(days).data
        assert list(line.y) == days["coins_at_work"].to_list()

    @pytest.mark.parametrize("number", [1, 2, 6])
    def test_a_short_time_has_a_tick_for_each_day(self, reader: marts.Marts, number: int) -> None:
        days = reader.coins_over_time(GREENER).head(number)
        axis = charts.coins_over_time(days).layout.xaxis
        assert list(axis.tickvals) == days["day"].to_list()
        assert axis.tickformat == "%-d %b\n%Y"


class TestParticipationByGroup:
    @pytest.fixture
    def shown(self, reader: marts.Marts) -> pl.DataFrame:
        return reader.participation_by_group(GREENER).filter(~pl.col("is_suppressed"))

    def test_own_campaigns_show_shares(self, shown: pl.DataFrame) -> None:
        (bars,) = charts.participation_by_group(shown, is_imported=False).data
        assert list(bars.x) == (shown["participants"] / shown["members"]).to_list()

    def test_imported_elections_show_the_number_of_voters(self, shown: pl.DataFrame) -> None:
        (bars,) = charts.participation_by_group(shown, is_imported=True).data
        assert list(bars.x) == shown["participants"].to_list()

    def test_names_of_groups_are_escaped(self, shown: pl.DataFrame) -> None:
        hostile = shown.with_columns(group_name=pl.lit("<a href='https://evil.example'>x</a>"))
        assert "<" not in markup_of(charts.participation_by_group(hostile, is_imported=False))


class TestHoldings:
    def test_shares_of_a_campaign_sum_to_one(self, reader: marts.Marts) -> None:
        figure = charts.holdings(reader.conservation())
        totals: dict[str, float] = {}
        for bars in figure.data:
            for campaign, share in zip(bars.y, bars.x, strict=True):
                totals[campaign] = totals.get(campaign, 0) + share
        assert len(totals) == 6
        assert all(total == pytest.approx(1) for total in totals.values())


class TestRetention:
    def test_cells_equal_the_mart_and_hidden_ones_are_marked(self, reader: marts.Marts) -> None:
        cohorts = reader.cohorts()
        (heat,) = charts.retention(cohorts).data
        assert heat.z[0][0] == pytest.approx(0.8)
        assert heat.text[0][0] == "80%"
        small = [row for row in heat.text if "<5" in row]
        assert small == [["<5", "<5", "<5", "<5", "", "", "", "", ""]]

    def test_the_size_of_a_small_cohort_is_hidden(self, reader: marts.Marts) -> None:
        labels = charts.retention(reader.cohorts()).layout.yaxis.ticktext
        assert "Mar\N{NO-BREAK SPACE}2026<br>fewer than 5 people" in labels


class TestExpectedAndRealised:
    def test_marks_show_the_amounts_of_each_idea(self, reader: marts.Marts) -> None:
        outcomes = reader.roi(None).filter(pl.col("currency") == "EUR")
        figure = charts.expected_and_realised(outcomes, "EUR")
        marks = [trace for trace in figure.data if trace.mode == "markers"]
        assert len(marks) == 4
        for trace, column in zip(
            marks, ("expected_cost", "realised_cost", "expected_value", "realised_value"), strict=True
        ):
            known = outcomes.filter(pl.col(column).is_not_null())
            assert list(trace.x) == [float(amount) for amount in known[column]]

    def test_titles_are_escaped(self, reader: marts.Marts) -> None:
        assert "<" not in markup_of(charts.expected_and_realised(reader.roi(GREENER), "EUR"))

    def test_expected_amounts_are_drawn_without_realised_ones(self, reader: marts.Marts) -> None:
        outcomes = reader.roi(None).with_columns(realised_cost=None, realised_value=None)
        assert charts.expected_and_realised(outcomes, "EUR").data
