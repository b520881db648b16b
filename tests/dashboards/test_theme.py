from __future__ import annotations

import math
import tomllib
from itertools import combinations
from pathlib import Path

import pytest

import dashboards
from dashboards.charts import STATUS_MARKS

CONTRAST_MIN = 4.5  # WCAG 2.2, level AA, for text; labels of charts have the colours of their marks
THEMES = tomllib.loads(Path(dashboards.__file__).with_name(".streamlit").joinpath("config.toml").read_text())["theme"]


def linear(colour: str) -> list[float]:
    """Linear red, green and blue of a colour as #rrggbb."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]


def times(matrix: tuple[tuple[float, ...], ...], vector: list[float]) -> list[float]:
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def luminance(colour: str) -> float:
    """Relative luminance as in WCAG 2.2, of a colour as #rrggbb."""
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear(colour), strict=True))


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_black_on_white_has_the_greatest_contrast() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_colour_of_a_chart_has_enough_contrast(theme: str) -> None:
    ground = THEMES[theme]["backgroundColor"]
    colours = [*THEMES[theme]["chartCategoricalColors"], THEMES[theme]["textColor"], THEMES[theme]["primaryColor"]]
    assert [colour for colour in colours if contrast(colour, ground) < CONTRAST_MIN] == []


# How a reader sees linear red, green and blue: Machado, Oliveira and Fernandes, 2009, severity 1.
READERS = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
DIFFERENCE_MIN = 0.06  # in OKLab; 0.02 is just noticeable side by side


def oklab(colour: str, reader: str) -> list[float]:
    """The colour in OKLab (Ottosson, 2020) as a reader sees it."""
    seen = [min(max(c, 0.0), 1.0) for c in times(READERS[reader], linear(colour))]
    cones = times(
        (
            (0.4122214708, 0.5363325363, 0.0514459929),
            (0.2119034982, 0.6806995451, 0.1073969566),
            (0.0883024619, 0.2817188376, 0.6299787005),
        ),
        seen,
    )
    return times(
        (
            (0.2104542553, 0.7936177850, -0.0040720468),
            (1.9779984951, -2.4285922050, 0.4505937099),
            (0.0259040371, 0.7827717662, -0.8086757660),
        ),
        [math.cbrt(c) for c in cones],
    )


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_statuses_differ_by_colour_or_pattern_for_every_reader(theme: str, reader: str) -> None:
    colours = THEMES[theme]["chartCategoricalColors"]
    alike = [
        (one, other)
        for (one, (colour, pattern)), (other, (other_colour, other_pattern)) in combinations(STATUS_MARKS.items(), 2)
        if pattern == other_pattern
        and math.dist(oklab(colours[colour], reader), oklab(colours[other_colour], reader)) < DIFFERENCE_MIN
    ]
    assert alike == []


def test_black_and_white_differ_most_for_every_reader() -> None:
    for reader in READERS:
        assert math.dist(oklab("#000000", reader), oklab("#ffffff", reader)) == pytest.approx(1, abs=0.01)
