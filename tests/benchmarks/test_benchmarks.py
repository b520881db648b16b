"""Each measurement at a small size: that it runs, and that what it asserts of the ledger holds. Rates are not looked at."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from benchmarks import allocate, held, history, ledgers
from tests.factories.clocks import GIVE_UP_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="the load generator is written in Go")


@pytest.fixture
def installation() -> Iterator[tuple[Settings, Path]]:
    with ledgers.installation() as made:
        yield made


class Quiet:
    """Progress that nobody looks at."""

    def say(self, text: str) -> None:
        """Nothing."""

    def advance(self, done: int, total: int) -> None:
        """Nothing."""


def test_allocate(installation: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(allocate, "STAKES", 500)
    monkeypatch.setattr(ledgers, "PGBENCH_SCALE", 1)
    settings, folder = installation
    figures = allocate.measure(settings, 1, folder)
    assert {name for name, value in figures.items() if value <= 0} == set()
    assert figures.keys() >= {
        "limit_per_s", "pgbench_n_per_s", "spread_per_s", "hot_per_s", "ratio_spread", "ratio_hot", "p50_ms", "p99_ms",
        "seeded_per_s",
    }  # fmt: skip


def test_one_held_wallet_is_told_so_and_nobody_else(
    installation: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "WALLETS", 100)
    settings, folder = installation
    figures = held.measure(settings, 3, folder)
    assert figures["owner_told_503"] >= 1
    assert figures["others_during_per_s"] > 0


def test_the_history_is_what_the_functions_would_have_written(installation: tuple[Settings, Path]) -> None:
    settings, folder = installation
    figures = history.measure(settings, 1, 20_000, folder, Quiet())
    assert figures["allocations_full_per_s"] > 0


def test_another_generator_does_the_same_work(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("prepared")
    for parent in (root, *root.parents[:2]):
        parent.chmod(0o711)
    folder = root / "bench"
    command = [sys.executable, "-m", "benchmarks.allocate"]
    subprocess.run([*command, "--prepare", str(folder)], check=True, capture_output=True, timeout=GIVE_UP_AFTER_S)
    try:
        about = allocate.about(folder)
        tokens = Path(str(about["tokens"])).read_text().splitlines()
        ideas = Path(str(about["ideas"])).read_text().splitlines()
        assert (len(set(tokens)), len(set(ideas))) == (1000, 1000)
        response = httpx.post(
            str(about["url"]),
            headers={"Authorization": f"Bearer {tokens[-1]}", "Idempotency-Key": "k"},
            json={"idea_id": ideas[-1], "coins": 1},
            timeout=GIVE_UP_AFTER_S,
        )
        assert response.status_code == 201
    finally:
        subprocess.run([*command, "--stop", str(folder)], check=True, capture_output=True, timeout=GIVE_UP_AFTER_S)
    assert not folder.exists()
