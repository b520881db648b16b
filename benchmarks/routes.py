"""Measures what the kernel adds to a request: small routes beside `/health/live` and `pgbench -N` in the same run.

    python -m benchmarks.routes [--seconds 6] [--json]

One API process, 32 clients, each for a third of the time in three rounds, of which the median counts: `live` is
`/health/live`, which has no authentication and no statement; `me` is the caller's account (one statement); `campaigns` the
first page of campaigns; `refused` an access token with a wrong signature. Each `ratio_...` is the rate divided by that of
`/health/live`. The load generator (Go) runs on the same machine.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from typing import TYPE_CHECKING, Any

from benchmarks import http_load, ledgers

if TYPE_CHECKING:
    from pathlib import Path

    from settings import Settings

ROUNDS = 3


def measure(settings: Settings, seconds: float, folder: Path) -> dict[str, float]:
    """All figures; each route is under load for `seconds`."""
    ledgers.seed(settings, ideas=1)
    pgbench_n = ledgers.pgbench_simple_update(settings, max(1, round(seconds)))
    tokens = ledgers.tokens(settings, range(1, ledgers.CLIENTS + 1))
    forged = [f"{token[:-4]}AAAA" for token in tokens.values()]
    requests = {
        "live": (200, [_get("/health/live")] * ledgers.CLIENTS),
        "me": (200, [_get("/api/v1/users/me", token) for token in tokens.values()]),
        "campaigns": (200, [_get("/api/v1/campaigns", token) for token in tokens.values()]),
        "refused": (401, [_get("/api/v1/users/me", token) for token in forged]),
    }
    rates: dict[str, list[float]] = {name: [] for name in requests}
    with ledgers.api(settings) as port:
        for _ in range(ROUNDS):
            for name, (status, messages) in requests.items():
                plan: dict[str, Any] = {
                    "host": "127.0.0.1",
                    "port": port,
                    "seconds": seconds / ROUNDS,
                    "connections": [[message] for message in messages],
                }
                load = http_load.run(plan, folder)
                assert set(load.statuses) == {status}, f"{name}: {load.statuses}"
                rates[name].append(load.statuses[status] / load.elapsed_s)
    per_s = {name: statistics.median(each) for name, each in rates.items()}
    return {
        "pgbench_n_per_s": round(pgbench_n),
        **{f"{name}_per_s": round(rate) for name, rate in per_s.items()},
        **{f"ratio_{name}": round(rate / per_s["live"], 3) for name, rate in per_s.items() if name != "live"},
    }


def _get(path: str, token: str | None = None) -> str:
    authorization = f"Authorization: Bearer {token}\r\n" if token else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{authorization}\r\n"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6, help="load of each route")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    arguments = parser.parse_args()
    try:
        with ledgers.installation() as (settings, folder):
            figures = measure(settings, arguments.seconds, folder)
    except http_load.GoMissing as error:
        sys.exit(str(error))
    ledgers.print_figures(figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
