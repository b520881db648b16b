from __future__ import annotations

import datetime as dt

import pytest

from orchestration import monthly


class TestMonthOf:
    @pytest.mark.parametrize(
        ("moment", "month"),
        [
            ("2025-12-01T06:00:00+00:00", "2025-11"),
            ("2025-12-02T06:00:00+00:00", "2025-12"),
            ("2026-01-01T01:00:00+02:00", "2025-12"),
        ],
    )
    def test_is_that_of_the_day_before(self, moment: str, month: str) -> None:
        assert monthly.month_of(dt.datetime.fromisoformat(moment)) == month
