"""Measures durable allocations per second over HTTP, and PostgreSQL alone in the same run as a reference.

    python -m benchmarks.allocate [--seconds 10] [--json]
    python -m benchmarks.allocate --prepare FOLDER | --stop FOLDER

Reference limits, measured on the same server with the same 32 clients: `limit_per_s` is pgbench calling the same database
function with one item per call; `pgbench_n_per_s` is `pgbench -N`, PostgreSQL's own simple-update transaction. Then the API
with one process: `spread_per_s` over 1,000 ideas, `hot_per_s` on a single idea, `seeded_per_s` over 1,000 ideas after
500,000 stakes of other members were added; each is the median of three windows that share the time. A worker process
aggregates and seals at the same time. fsync is on and rate limits are off. The load generator (Go, in benchmarks/http_load)
runs on the same machine; `load_cores` is its CPU use in cores.

`--prepare` starts such a server for another load generator and leaves it running: FOLDER gets tokens.txt (the access tokens
of 1,000 members, one per line, valid for an hour), ideas.txt (one id per line) and server.json (the URL for POST requests
with {"idea_id": ..., "coins": 1}, and the process ids of the API and the worker). `--stop` ends both and removes the folder.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks import http_load, ledgers
from cli.local import postgres
from cli.local.ports import free_port

if TYPE_CHECKING:
    from settings import Settings

STAKES = 500_000
WINDOWS = 3
ALL_IDEAS = range(1, ledgers.IDEAS + 1)
HOT_IDEA = range(1, 2)


def measure(settings: Settings, seconds: int, folder: Path) -> dict[str, float]:
    """All figures, each measured for `seconds`."""
    ledgers.seed(settings)
    limit = ledgers.pgbench_function(settings, seconds, folder)
    pgbench_n = ledgers.pgbench_simple_update(settings, seconds)
    with ledgers.api(settings) as port:

        def load(ideas: range, seconds: float) -> http_load.Load:
            found = http_load.run(ledgers.plan(settings, port, seconds, ideas=ideas), folder)
            assert set(found.statuses) == {201}, f"not every allocation succeeded: {found.statuses}"
            return found

        def median_load(ideas: range) -> http_load.Load:
            """The window with the median rate of three, which reduces the noise of a shared machine."""
            windows = [load(ideas, seconds / WINDOWS) for _ in range(WINDOWS)]
            return sorted(windows, key=lambda window: window.per_s)[WINDOWS // 2]

        load(ALL_IDEAS, 2)
        spread, hot = median_load(ALL_IDEAS), median_load(HOT_IDEA)
        ledgers.seed_stakes(settings, STAKES)
        load(ALL_IDEAS, 2)
        seeded = median_load(ALL_IDEAS)
    return {
        "limit_per_s": round(limit),
        "pgbench_n_per_s": round(pgbench_n),
        "spread_per_s": round(spread.per_s),
        "hot_per_s": round(hot.per_s),
        "seeded_per_s": round(seeded.per_s),
        "ratio_spread": round(spread.per_s / limit, 3),
        "ratio_hot": round(hot.per_s / limit, 3),
        "ratio_pgbench_n": round(spread.per_s / pgbench_n, 3),
        "ratio_seeded": round(seeded.per_s / spread.per_s, 3),
        "p50_ms": round(spread.p50_ms, 1),
        "p99_ms": round(spread.p99_ms, 1),
        "hot_p99_ms": round(hot.p99_ms, 1),
        "load_cores": round(spread.cores, 2),
    }


def prepare(folder: Path) -> dict[str, object]:
    """Start a server and write the files that a load generator needs; returns the content of server.json."""
    folder.mkdir(parents=True)
    settings = postgres.ensure(ledgers.load(folder.resolve() / "data"), keep=True)
    postgres.migrate(settings)
    ledgers.seed(settings)
    port = free_port()
    with (folder / "api.log").open("wb") as log:
        options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stderr": log, "start_new_session": True}
        worker = ledgers.start_worker(settings, **options)
        server = ledgers.start_api(settings, port, **options)
    tokens = ledgers.tokens(settings, range(1, ledgers.MEMBERS + 1)).values()
    (folder / "tokens.txt").write_text("".join(f"{token}\n" for token in tokens))
    (folder / "ideas.txt").write_text("".join(f"{ledgers.idea_id(number)}\n" for number in ALL_IDEAS))
    written: dict[str, object] = {
        "url": f"http://127.0.0.1:{port}/api/v1/campaigns/{ledgers.CAMPAIGN}/coins/allocate",
        "tokens": str(folder / "tokens.txt"),
        "ideas": str(folder / "ideas.txt"),
        "pid": server.pid,
        "worker_pid": worker.pid,
    }
    (folder / "server.json").write_text(json.dumps(written))
    return written


def read_server_file(folder: Path) -> dict[str, object]:
    """The content of server.json, written by :func:`prepare`."""
    written: dict[str, object] = json.loads((folder / "server.json").read_text())
    return written


def stop(folder: Path) -> None:
    """Stop the server of :func:`prepare` and remove the folder."""
    written = read_server_file(folder)
    for name, argument in (("pid", "api.server"), ("worker_pid", "api.worker")):
        pid = written[name]
        assert isinstance(pid, int)
        if psutil.pid_exists(pid) and argument in psutil.Process(pid).cmdline():
            os.kill(pid, signal.SIGTERM)
            psutil.Process(pid).wait(10)
    postgres.stop(ledgers.load(folder.resolve() / "data"))
    shutil.rmtree(folder)


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="length of each of the five measurements")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    parser.add_argument(
        "--prepare", type=Path, metavar="FOLDER", help="start a server and leave it running; creates the folder"
    )
    parser.add_argument(
        "--stop", type=Path, metavar="FOLDER", help="stop the server of --prepare and remove the folder"
    )
    arguments = parser.parse_args()
    if arguments.stop:
        stop(arguments.stop)
        return
    if arguments.prepare:
        sys.stdout.write(json.dumps(prepare(arguments.prepare)) + "\n")
        return
    with ledgers.installation() as (settings, folder):
        figures = measure(settings, arguments.seconds, folder)
    ledgers.print_figures(figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
