from __future__ import annotations

from pathlib import Path

import pytest

import settings as configuration
from settings.rates import Rate


@pytest.mark.parametrize(
    ("notation", "expected"),
    [
        ("120/minute", Rate(120, "minute")),
        (" 5/Hour ", Rate(5, "hour")),
        ("1000000/second", Rate(1_000_000, "second")),
        ("1/day", Rate(1, "day")),
        ("off", None),
        ("OFF", None),
    ],
)
def test_a_rate_is_read_from_its_notation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, notation: str, expected: Rate | None
) -> None:
    monkeypatch.setenv("IDEAMINT_COIN_COMMANDS_PER_MEMBER", notation)
    assert configuration.load(env_file=None, data_dir=tmp_path).limits.coin_commands_per_member == expected


def test_a_rate_is_shown_in_its_notation() -> None:
    assert [str(Rate(120, "minute")), Rate(120, "minute").period_s] == ["120/minute", 60]
