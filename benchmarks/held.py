"""Measures the throughput of other members while one of 20,000 wallets is locked by an open transaction.

    python -m benchmarks.held [--seconds 10] [--json]

32 clients allocate over HTTP: one for a single member, 31 for random other members. Then a transaction locks the wallet of
that member and stays open. Its owner gets 503 with Retry-After at each deadline, and the other members are not affected.
`others_before_per_s` counts the same 31 clients without the lock.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks import http_load, ledgers
from cli.local import postgres

if TYPE_CHECKING:
    from pathlib import Path

    from settings import Settings

WALLETS = 20_000

_HOLD = """
    SELECT FROM app.coin_accounts WHERE campaign_id = %s AND user_id = %s AND kind = 'wallet' FOR UPDATE
"""


def measure(settings: Settings, seconds: int, folder: Path) -> dict[str, Any]:
    """Allocations per second of the other members before and during the lock, and the owner's responses."""
    ledgers.seed(settings, members=WALLETS)
    with ledgers.api(settings) as port:
        ideas = range(1, ledgers.IDEAS + 1)
        owner = ledgers.plan(settings, port, seconds, ideas=ideas, clients=1)
        others = ledgers.plan(
            settings, port, seconds, ideas=ideas, clients=ledgers.CLIENTS - 1, members=range(2, WALLETS + 1)
        )

        def load() -> tuple[http_load.Load, http_load.Load]:
            running = [http_load.start(each, folder) for each in (owner, others)]
            one, rest = (http_load.finish(each) for each in running)
            return one, rest

        http_load.run({**others, "seconds": 2}, folder)
        _, before = load()
        # as the owner of the tables, since the application role cannot lock these rows
        with psycopg.connect(postgres.admin_url(settings)) as holder:
            held = holder.execute(_HOLD, (ledgers.CAMPAIGN, ledgers.member_id(1))).rowcount
            assert held == 1
            one, during = load()
    assert set(during.statuses) == {201}, f"others were refused: {during.statuses}"
    assert set(one.statuses) == {503}, f"the locked wallet was not busy: {one.statuses}"
    return {
        "others_before_per_s": round(before.per_s),
        "others_during_per_s": round(during.per_s),
        "ratio": round(during.per_s / before.per_s, 3),
        "others_p99_before_ms": round(before.p99_ms, 1),
        "others_p99_during_ms": round(during.p99_ms, 1),
        "owner_503_responses": one.statuses[503],
        "owner_waited_ms": round(one.p50_ms),
    }


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="length of each of the two measurements")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    arguments = parser.parse_args()
    with ledgers.installation() as (settings, folder):
        figures = measure(settings, arguments.seconds, folder)
    ledgers.print_figures(figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
