from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import dashboards

CONTRAST_MIN = 4.5  # WCAG 2.2, level AA, for text; labels of charts have the colours of their marks
THEMES = tomllib.loads(Path(dashboards.__file__).with_name(".streamlit").joinpath("config.toml").read_text())["theme"]


def luminance(colour: str) -> float:
    """Relative luminance as in WCAG 2.2, of a colour as #rrggbb."""
    channels = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


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
