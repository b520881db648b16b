"""Measures the import of an election, and COPY of the same rows into the same tables as a reference.

    python -m benchmarks.import_election [FILE] [--rounds 1] [--json]

Each round uses two new databases on one server with fsync on. The election is imported into the first one. Then all rows of
the import are copied into the second one, table by table in one transaction, without functions but with all keys, indexes,
checks and triggers, including the deferred zero-sum trigger; both times include COMMIT. COPY is the reference limit: it
receives complete rows, while the import parses a file, checks each ballot and updates balances.

FILE is by default poland_czestochowa_2020_.pb in the folder of IDEAMINT_TEST_ELECTIONS. Figures are medians of the rounds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import settings as configuration
from api.coins import service as coins
from api.imports.pabulib import parse_election
from api.imports.service import import_election
from api.kernel.db import Database
from benchmarks.copies import check_conservation, copy_rows, fresh_database, read_rows
from cli.local import postgres

if TYPE_CHECKING:
    from api.imports.service import ImportedElection
    from settings import Settings


def measure(settings: Settings, path: Path, name: str) -> dict[str, Any]:
    """Run one round: times in seconds, rates per second. `name` is the prefix of its two databases."""
    imported_into, copied_into = (fresh_database(settings, f"{name}_{end}") for end in ("import", "copy"))
    raw = path.read_bytes()
    started = time.perf_counter()
    parse_election(raw, path.name)
    parse_s = time.perf_counter() - started
    election, import_s, difference_coins = asyncio.run(_import(imported_into, path))
    rows_by_table = read_rows(postgres.admin_url(imported_into))
    copy_s, rows = copy_rows(postgres.admin_url(copied_into), rows_by_table)
    check_conservation(postgres.admin_url(copied_into))
    transfers = rows["coin_transfers"]
    rows_total = sum(rows.values())
    return {
        "file": path.name,
        "ballots": election.ballots,
        "ideas": election.ideas,
        "coins": election.coins,
        "allocations": election.allocations,
        "transfers": transfers,
        "rows": rows_total,
        "parse_s": parse_s,
        "import_s": import_s,
        "copy_s": copy_s,
        "import_allocations_per_s": election.allocations / import_s,
        "import_transfers_per_s": transfers / import_s,
        "import_rows_per_s": rows_total / import_s,
        "copy_rows_per_s": rows_total / copy_s,
        "ratio": copy_s / import_s,
        "difference_coins": difference_coins,
    }


async def _import(settings: Settings, path: Path) -> tuple[ImportedElection, float, int]:
    """Import the file: the election, seconds including COMMIT, and the difference in coin conservation."""
    database = Database(settings.database)
    started = time.perf_counter()
    async with database.session(statement_timeout_ms=0) as session:
        election = await import_election(session, path, actor_id=None)
    seconds = time.perf_counter() - started
    async with database.session(statement_timeout_ms=0) as session:
        (conservation,) = await coins.verify(session, election.campaign_id)
    await database.close()
    return election, seconds, conservation.difference_coins


def _default_file() -> Path | None:
    folder = configuration.load().paths.test_elections
    return folder / "poland_czestochowa_2020_.pb" if folder else None


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", type=Path, help="a .pb file")
    parser.add_argument("--rounds", type=int, default=1, help="number of rounds; figures are medians")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    path = arguments.file or _default_file()
    if path is None:
        sys.exit(
            "State a .pb file, or set IDEAMINT_TEST_ELECTIONS to a folder that contains poland_czestochowa_2020_.pb."
        )
    with tempfile.TemporaryDirectory(prefix="ideamint-bench-") as folder:
        settings = configuration.load(env_file=None, data_dir=Path(folder), database_url=None)
        with postgres.running(settings) as server:
            rounds = [measure(server, path, f"round{n}") for n in range(arguments.rounds)]
    result = {
        key: statistics.median(each[key] for each in rounds) if isinstance(value, float) else value
        for key, value in rounds[0].items()
    }
    if arguments.json:
        print(json.dumps(result))
        return
    print(
        f"{result['file']}: {result['ballots']:,} ballots, {result['allocations']:,} allocations, {result['coins']:,} coins"
    )
    print(
        f"import: {result['import_s']:.1f} s (of which parsing the file {result['parse_s']:.1f} s), conservation difference {result['difference_coins']} coins"
    )
    print(
        f"  {result['import_allocations_per_s']:,.0f} allocations, {result['import_transfers_per_s']:,.0f} transfers, {result['import_rows_per_s']:,.0f} rows a second"
    )
    print(
        f"COPY:   {result['copy_s']:.1f} s for the same {result['rows']:,} rows: {result['copy_rows_per_s']:,.0f} rows a second"
    )
    print(f"ratio:  the import reaches {result['ratio']:.0%} of COPY's rate")


if __name__ == "__main__":
    main()
