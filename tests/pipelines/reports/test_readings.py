from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pipelines.marts import Figure, Measure
from pipelines.reports.content import Content
from pipelines.reports.readings import basis, read_figure, value

Read = Callable[[str], Content]


def measured(**fields: Any) -> Measure:
    empty: dict[str, Any] = dict.fromkeys(Measure.__dataclass_fields__)
    return Measure(**{**empty, **fields})


def figure_of(content: Content, name: str) -> Figure:
    return next(iter(content.figures(name)))


class TestValue:
    @pytest.mark.parametrize(
        ("unit", "number", "shown"),
        [
            ("percent", 0.25, "25%"), ("count", 3.0, "3"), ("coins", 12000.0, "12,000"), ("ratio", 1.5, "150%"),
            ("days", 4.26, "4.3\N{NO-BREAK SPACE}days"), ("money", 12.5, "EUR\N{NO-BREAK SPACE}12.50"),
        ],
    )  # fmt: skip
    def test_it_is_shown_in_its_unit(self, read: Read, unit: str, number: float, shown: str) -> None:
        figure = replace(figure_of(read("greener-offices"), "overdue"), unit=unit, currency="EUR")
        assert value(figure, measured(value=number)) == shown

    def test_an_unknown_value_is_replaced_by_its_reason(self, read: Read) -> None:
        figure = figure_of(read("greener-offices"), "participation")
        assert value(figure, measured(unknown_reason="nothing to count")) == "nothing to count"
        assert value(figure, measured()) == "not known"


class TestBasis:
    def test_numerator_and_denominator_with_their_noun(self, read: Read) -> None:
        content = read("greener-offices")
        figure = figure_of(content, "participation")
        assert basis(figure, figure.now) == "48 of 60 members"

    def test_a_return_states_the_gain_or_loss(self, read: Read) -> None:
        figure = figure_of(read("greener-offices"), "roi")
        assert basis(figure, figure.now) == "29,600 gained on EUR\N{NO-BREAK SPACE}77,000"
        lost = measured(value=-0.5, numerator=-40.0, denominator=80.0)
        assert basis(figure, lost) == "40 lost on EUR\N{NO-BREAK SPACE}80"

    def test_partial_data_is_shown(self, read: Read) -> None:
        figure = figure_of(read("greener-offices"), "reach")
        partial = measured(value=0.5, numerator=1.0, denominator=2.0, coverage=0.4)
        assert basis(figure, partial) == "1 of 2 people; data for 40%"


class TestReadFigure:
    def test_a_rise_is_good_if_higher_is_better(self, read: Read) -> None:
        content = read("tools-we-miss")
        reading = read_figure(content, figure_of(content, "participation"))
        shown = (reading.recent, reading.before, reading.change, reading.tone)
        assert shown == ("32.5%", "25%", "+7.5\N{NO-BREAK SPACE}points", "good")

    def test_a_rise_is_bad_if_lower_is_better(self, read: Read) -> None:
        content = read("tools-we-miss")
        reading = read_figure(content, figure_of(content, "overdue"))
        assert (reading.change, reading.tone) == ("+1", "bad")

    def test_an_election_has_no_periods(self, read: Read) -> None:
        content = read("lodz-2020")
        reading = read_figure(content, figure_of(content, "top_share"))
        assert (reading.recent, reading.before, reading.change, reading.tone) == ("\u2013", "\u2013", "", "same")
