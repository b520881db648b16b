"""Shared setup of the ledger benchmarks: an installation, a seeded campaign, pgbench, and load on the API."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg import sql

import settings as configuration
from api.coins.commands.moves import SQL as MOVE
from api.coins.commands.moves import Move, as_arguments
from benchmarks.log_ins import access_tokens
from cli.local import databases, postgres
from cli.local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from datetime import datetime

    from settings import Settings

CLIENTS = 32
MEMBERS = 1000
IDEAS = 1000
PGBENCH_SCALE = 50
SEAL_MAX = 50_000
PGBENCH_S_MAX = 60
READY_TRIES = 6000  # a tenth of a second apart
COINS = 1_000_000_000
# a benchmark member sends more requests in a second than the limits allow in a minute
RATE_LIMITS = (
    "COIN_COMMANDS_PER_MEMBER", "COIN_COMMANDS_PER_CAMPAIGN", "COIN_READS_PER_MEMBER", "COIN_FIGURES_PER_MEMBER",
    "LOG_INS_PER_ADDRESS",
)  # fmt: skip
# a limit that counts each request, as in an installation, but refuses none
RATE_OF_CALLERS = "1000000/second"
CAMPAIGN = UUID("00000000-0000-7000-8000-00000000c000")

# the same command as over HTTP, one item per call
PGBENCH_SCRIPT = r"""
\set member random(1, :members)
\set idea random(1, :ideas)
SELECT outcome FROM app.coins_move(ARRAY['{campaign}']::uuid[],
    ARRAY[('00000000-0000-7000-8000-a' || lpad(:member::text, 11, '0'))::uuid], ARRAY[NULL]::uuid[],
    ARRAY[('00000000-0000-7000-8000-b' || lpad(:idea::text, 11, '0'))::uuid], ARRAY[1]::bigint[],
    ARRAY[gen_random_uuid()::text], ARRAY['\x00'::bytea], ARRAY[NULL]::text[]);
"""


def member_id(number: int) -> UUID:
    """Id of member `number`, from 1."""
    return UUID(f"00000000-0000-7000-8000-a{number:011d}")


def idea_id(number: int) -> UUID:
    """Id of idea `number`, from 1."""
    return UUID(f"00000000-0000-7000-8000-b{number:011d}")


@contextmanager
def installation() -> Iterator[tuple[Settings, Path]]:
    """A new migrated embedded PostgreSQL with fsync on, and a folder that is removed at the end."""
    with tempfile.TemporaryDirectory(prefix="ideamint-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL may run with another account
        with postgres.running(load(folder / "data")) as settings:
            postgres.migrate(settings)
            yield settings, folder


def load(data_dir: Path) -> Settings:
    """Settings of an installation in `data_dir`, without environment and .env."""
    return configuration.load(env_file=None, data_dir=data_dir, database_url=None, access_token_ttl_s=3600)


def seed(settings: Settings, *, members: int = MEMBERS, ideas: int = IDEAS) -> None:
    """Create one campaign whose members have enough coins for any run."""
    with psycopg.connect(settings.database.role_url("app")) as connection:
        policy = json.dumps({"coins_per_member": COINS})
        connection.execute("SELECT app.coins_open_ledger(%s, %s::jsonb, NULL)", (CAMPAIGN, policy))
        grant(connection, range(1, members + 1))
        connection.execute(
            "SELECT app.coins_open_targets(%s, %s::uuid[], %s::uuid[])",
            (CAMPAIGN, [idea_id(n) for n in range(1, ideas + 1)], [None] * ideas),
        )


def grant(connection: psycopg.Connection[Any], members: range, *, at: datetime | None = None) -> None:
    """Grant coins to these members, as of a past time if one is given."""
    user_ids = [member_id(n) for n in members]
    connection.execute("SELECT app.coins_grant(%s, %s::uuid[], NULL, %s)", (CAMPAIGN, user_ids, at))


def seed_stakes(settings: Settings, stakes: int, *, ideas_each: int = 25) -> None:
    """Create stakes of members that no load uses, `ideas_each` per member: the hot idea first, then random ones."""
    chooser = random.Random(stakes)
    members = range(MEMBERS + 1, MEMBERS + 1 + stakes // ideas_each)
    with psycopg.connect(settings.database.role_url("app"), options="-c search_path=app") as connection:
        grant(connection, members)
        chosen = {member: [1, *chooser.sample(range(2, IDEAS + 1), ideas_each - 1)] for member in members}
        for n in range(ideas_each):
            for start in range(members.start, members.stop, 1000):
                part = range(start, min(start + 1000, members.stop))
                moves = [Move(CAMPAIGN, member_id(m), None, idea_id(chosen[m][n]), 1) for m in part]
                connection.execute(MOVE, as_arguments(moves, is_import=True))
                connection.commit()
    run_background_work(settings)


def run_background_work(settings: Settings) -> None:
    """Aggregate and seal new transfers as the worker would, collect statistics, and write a checkpoint.

    This way none of this work happens during a measurement.
    """
    with psycopg.connect(
        settings.database.role_url("app"), autocommit=True, options="-c statement_timeout=0"
    ) as connection:
        connection.execute("SELECT app.coins_aggregate_totals()")
        while (connection.execute("SELECT app.coins_seal(%s)", (SEAL_MAX,)).fetchone() or (0,))[0] == SEAL_MAX:
            pass
    with psycopg.connect(postgres.admin_url(settings), autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def pgbench(url: str, seconds: int, *arguments: str) -> float:
    """Transactions per second of pgbench with 32 clients; `arguments` are further options.

    If no transaction ends within `seconds`, the measurement is repeated with twice the time.
    """
    program = [str(postgres.program("pgbench")), *("-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "1")]
    done = subprocess.run([*program, "-T", str(seconds), *arguments, url], check=False, capture_output=True, text=True)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if found is None and seconds < PGBENCH_S_MAX and re.search(r"actually processed: 0\b", done.stdout):
        return pgbench(url, 2 * seconds, *arguments)
    assert found, done.stdout + done.stderr
    return float(found.group(1))


def pgbench_function(settings: Settings, seconds: int, folder: Path) -> float:
    """Calls per second of the allocation function by pgbench, one item per call."""
    script = folder / "allocate.sql"
    script.write_text(PGBENCH_SCRIPT.replace("{campaign}", str(CAMPAIGN)))
    options = ("-f", str(script), "-D", f"members={MEMBERS}", "-D", f"ideas={IDEAS}")
    return pgbench(postgres.admin_url(settings), seconds, *options)


def pgbench_simple_update(settings: Settings, seconds: int) -> float:
    """Transactions per second of `pgbench -N`, in a separate database on the same server."""
    admin_url = postgres.admin_url(settings)
    url = databases.with_database(admin_url, "pgbench")
    with psycopg.connect(admin_url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'pgbench'").fetchone():
            connection.execute(sql.SQL("CREATE DATABASE pgbench"))
            subprocess.run(
                [postgres.program("pgbench"), "-i", "-q", "-s", str(PGBENCH_SCALE), url],
                check=True,
                capture_output=True,
            )
    return pgbench(url, seconds, "-N")


def tokens(settings: Settings, members: Iterable[int]) -> dict[int, str]:
    """Access tokens of benchmark members by their numbers."""
    numbers = sorted(set(members))
    return dict(zip(numbers, access_tokens(settings, [member_id(number) for number in numbers]), strict=True))


def allocation(campaign_id: UUID, token: str, idea_id: UUID) -> str:
    """The request that allocates one coin to an idea, as a template for the load generator."""
    body = json.dumps({"idea_id": str(idea_id), "coins": 1})
    return (
        f"POST /api/v1/campaigns/{campaign_id}/coins/allocate HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Bearer {token}\r\nIdempotency-Key: {{key}}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )


def plan(
    settings: Settings,
    port: int,
    seconds: float,
    *,
    ideas: range,
    clients: int = CLIENTS,
    members: range | None = None,
    requests: int = 200,
) -> dict[str, Any]:
    """A load plan: `clients` allocate one coin per request to random `ideas`.

    Each client is one member or, with `members`, a random one of them in each request.
    """
    chooser = random.Random(len(ideas))
    chosen = [
        [chooser.choice(members) if members else client for _ in range(requests)] for client in range(1, clients + 1)
    ]
    token_of = tokens(settings, (member for row in chosen for member in row))
    connections = [
        [allocation(CAMPAIGN, token_of[member], idea_id(chooser.choice(ideas))) for member in row] for row in chosen
    ]
    return {"host": "127.0.0.1", "port": port, "seconds": seconds, "connections": connections}


def start_api(
    settings: Settings, port: int, *, variables: Mapping[str, str] | None = None, **options: Any
) -> subprocess.Popen[bytes]:
    """Start one API process as `ideamint up` does, and wait until it is ready; `options` are those of Popen."""
    server = subprocess.Popen(
        [sys.executable, "-m", "api.server", "--port", str(port)],
        env={**environment(settings), **(variables or {})}, stdout=subprocess.DEVNULL, **options,
    )  # fmt: skip
    for _ in range(READY_TRIES):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2):
                return server
        except OSError:
            time.sleep(0.1)
    server.kill()
    msg = "the API did not become ready in time"
    raise RuntimeError(msg)


def start_worker(settings: Settings, **options: Any) -> subprocess.Popen[bytes]:
    """Start one worker process as `ideamint up` does, and wait until it works; `options` are those of Popen."""
    worker = subprocess.Popen(
        [sys.executable, "-m", "api.worker"], env=environment(settings), stdout=subprocess.DEVNULL, **options
    )
    with psycopg.connect(settings.database.role_url("app"), autocommit=True) as connection:
        (before,) = connection.execute("SELECT clock_timestamp()").fetchone() or (None,)
        for _ in range(READY_TRIES):
            if connection.execute("SELECT 1 FROM app.worker_heartbeats WHERE seen_at > %s", (before,)).fetchone():
                return worker
            time.sleep(0.1)
    worker.kill()
    msg = "the worker did not start in time"
    raise RuntimeError(msg)


def environment(settings: Settings) -> dict[str, str]:
    """Environment of a process on the same installation, without rate limits."""
    variables = {
        "IDEAMINT_DATA_DIR": str(settings.paths.data_dir),
        "IDEAMINT_DATABASE_URL": str(settings.database.url),
        "IDEAMINT_LOG_LEVEL": "WARNING",
        "IDEAMINT_REQUESTS_PER_CALLER": RATE_OF_CALLERS,
        **{f"IDEAMINT_{limit}": "off" for limit in RATE_LIMITS},
    }
    return {**os.environ, **variables}


@contextmanager
def api(settings: Settings, **variables: str) -> Iterator[int]:
    """Run one API process, with `variables` of its environment, and one worker process; yields the API's port."""
    port = free_port()
    processes = [start_worker(settings)]
    try:
        processes.append(start_api(settings, port, variables=variables))
        yield port
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(10)


def print_figures(figures: Mapping[str, float | str], *, as_json: bool) -> None:
    """Print the figures, one per line or as one JSON object."""
    if as_json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for figure, value in figures.items():
        sys.stdout.write(f"{figure:24} {value:>12,}\n" if not isinstance(value, str) else f"{figure:24} {value:>12}\n")
