from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pipelines import wording


class TestCsvCell:
    @pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
    def test_a_text_is_not_evaluated_as_a_formula(self, start: str) -> None:
        assert wording.csv_cell(f"{start}1+1") == f"'{start}1+1"

    @pytest.mark.parametrize(("value", "cell"), [(-5, "-5"), (None, ""), ("plain", "plain"), (0, "0"), ("a=b", "a=b")])
    def test_numbers_and_other_texts_are_unchanged(self, value: object, cell: str) -> None:
        assert wording.csv_cell(value) == cell


def test_tables_of_the_dashboards_offer_no_download() -> None:
    config = Path(__file__).parents[3] / "dashboards" / ".streamlit" / "config.toml"
    assert tomllib.loads(config.read_text(encoding="utf-8"))["client"]["disableDataExport"] is True
