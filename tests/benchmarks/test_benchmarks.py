"""Each benchmark at a small size: it runs, and its assertions on the ledger hold. Rates are not checked."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import psutil
import pytest

from benchmarks import accounts, allocate, compare, event_lag, floods, held, history, ledgers, routes
from tests.factories.clocks import GIVE_UP_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from settings import Settings

ELECTION = Path(__file__).parents[1] / "imports" / "elections" / "cumulative.pb"

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="the load generator is written in Go")


@pytest.fixture
def installation() -> Iterator[tuple[Settings, Path]]:
    with ledgers.installation() as made:
        yield made


class NoProgress:
    """Ignores progress."""

    def say(self, text: str) -> None:
        """Do nothing."""

    def advance(self, done: int, total: int) -> None:
        """Do nothing."""


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


def test_floods(installation: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(floods, "CLIENTS", 4)
    monkeypatch.setattr(floods, "SLOW_CLIENTS", 10)
    settings, folder = installation
    figures = asyncio.run(floods.measure(settings, 1, folder))
    assert figures.keys() >= {"ratio_log_ins", "ratio_registrations", "ratio_slow_clients", "log_in_ms_registrations"}
    assert {name for name, value in figures.items() if value < 0} == set()


def test_compare_measures_a_commit_and_this_version() -> None:
    figures = compare.compare("HEAD", 1, 1, 0.5)
    assert figures.keys() == {
        *("earlier_per_s", "earlier_cpu_us", "this_per_s", "this_cpu_us"),
        *("ratio", "ratio_min", "ratio_max"),
    }
    assert min(figures.values()) > 0


def test_a_locked_wallet_delays_only_its_owner(
    installation: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "WALLETS", 100)
    settings, folder = installation
    figures = held.measure(settings, 3, folder)
    assert figures["owner_503_responses"] >= 1
    assert figures["others_during_per_s"] > 0


def test_the_inserted_history_is_a_consistent_ledger(installation: tuple[Settings, Path]) -> None:
    settings, folder = installation
    figures = history.measure(settings, 1, 20_000, folder, NoProgress())
    assert figures["allocations_full_per_s"] > 0


def test_routes(installation: tuple[Settings, Path]) -> None:
    settings, folder = installation
    figures = routes.measure(settings, 1, folder)
    assert {name for name, value in figures.items() if value <= 0} == set()
    assert figures.keys() >= {"live_per_s", "me_per_s", "campaigns_per_s", "refused_per_s", "ratio_me"}


def test_accounts(installation: tuple[Settings, Path]) -> None:
    figures = accounts.measure(installation[0], 5, 2)
    assert figures["revocation_max_ms"] >= figures["revocation_median_ms"] > 0
    assert 0 <= figures["auc"] <= 1


class TestAuc:
    def test_is_the_probability_that_the_first_is_larger(self) -> None:
        assert accounts.auc([3, 4], [1, 2]) == 1
        assert accounts.auc([1, 2], [3, 4]) == 0
        assert accounts.auc([1, 3], [1, 3]) == 0.5
        assert accounts.auc([2, 2], [1, 2]) == 0.75


def test_event_lag(installation: tuple[Settings, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_lag, "IDLE_S", 1.0)
    figures = asyncio.run(event_lag.measure(installation[0], ELECTION))
    assert figures["import_rows"] > 0
    for phase in ("idle", "import", "build"):
        assert figures[f"{phase}_events"] > 0
        assert figures[f"{phase}_lag_max_s"] >= figures[f"{phase}_lag_p50_s"] >= 0


def test_a_prepared_server_accepts_other_load_generators(tmp_path_factory: pytest.TempPathFactory) -> None:
    root = tmp_path_factory.mktemp("prepared")
    for parent in (root, *root.parents[:2]):
        parent.chmod(0o711)
    folder = root / "bench"
    command = [sys.executable, "-m", "benchmarks.allocate"]
    subprocess.run([*command, "--prepare", str(folder)], check=True, capture_output=True, timeout=GIVE_UP_AFTER_S)
    try:
        server = allocate.read_server_file(folder)
        tokens = Path(str(server["tokens"])).read_text().splitlines()
        ideas = Path(str(server["ideas"])).read_text().splitlines()
        assert (len(set(tokens)), len(set(ideas))) == (1000, 1000)
        response = httpx2.post(
            str(server["url"]),
            headers={"Authorization": f"Bearer {tokens[-1]}", "Idempotency-Key": "k"},
            json={"idea_id": ideas[-1], "coins": 1},
            timeout=GIVE_UP_AFTER_S,
        )
        assert response.status_code == 201
    finally:
        subprocess.run([*command, "--stop", str(folder)], check=True, capture_output=True, timeout=GIVE_UP_AFTER_S)
    assert not folder.exists()
    assert not any(psutil.pid_exists(int(str(server[name]))) for name in ("pid", "worker_pid"))
