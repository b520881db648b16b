"""Durable allocations a second through HTTP, beside what PostgreSQL alone does in the same run.

    python -m benchmarks.allocate [--seconds 10] [--json]

Limits, measured on the same server with the same 32 clients: `limit_per_s` is pgbench calling the same database function
one item a call; `pgbench_n_per_s` is `pgbench -N`, PostgreSQL's own simple-update transaction. Then the API, one worker:
`spread_per_s` over 1,000 ideas and `hot_per_s` on a single one. fsync is on throughout, and the load generator shares
the machine's cores; `load_cores` says how much of them it took. Rate limits do not exist yet.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import psycopg
from psycopg import sql

import settings as configuration
from api.auth.models import User
from api.auth.tokens import issue_access_token
from orchestration import databases, postgres

if TYPE_CHECKING:
    from settings import Settings

CLIENTS = 32
MEMBERS = 1000
IDEAS = 1000
COINS = 1_000_000_000
CAMPAIGN = UUID("00000000-0000-7000-8000-00000000c000")

PGBENCH_SCRIPT = r"""
\set member random(1, :members)
\set idea random(1, :ideas)
SELECT outcome FROM app.coins_move(ARRAY['{campaign}']::uuid[],
    ARRAY[('00000000-0000-7000-8000-a' || lpad(:member::text, 11, '0'))::uuid], ARRAY[NULL]::uuid[],
    ARRAY[('00000000-0000-7000-8000-b' || lpad(:idea::text, 11, '0'))::uuid], ARRAY[1]::bigint[],
    ARRAY[gen_random_uuid()::text], ARRAY['\x00'::bytea], ARRAY[NULL]::text[]);
"""


def member_id(number: int) -> UUID:
    """The bench's member `number`, from 1."""
    return UUID(f"00000000-0000-7000-8000-a{number:011d}")


def idea_id(number: int) -> UUID:
    """The bench's idea `number`, from 1."""
    return UUID(f"00000000-0000-7000-8000-b{number:011d}")


def seed(settings: Settings) -> None:
    """One campaign whose members have coins enough for any run."""
    with psycopg.connect(settings.role_url("app")) as connection:
        policy = json.dumps({"coins_per_member": COINS})
        connection.execute("SELECT app.coins_open_ledger(%s, %s::jsonb, NULL)", (CAMPAIGN, policy))
        members = [member_id(n) for n in range(1, MEMBERS + 1)]
        connection.execute("SELECT app.coins_grant(%s, %s::uuid[], NULL)", (CAMPAIGN, members))
        ideas = [idea_id(n) for n in range(1, IDEAS + 1)]
        connection.execute(
            "SELECT app.coins_open_targets(%s, %s::uuid[], %s::uuid[])", (CAMPAIGN, ideas, [None] * IDEAS)
        )


def pgbench(url: str, seconds: int, *arguments: str) -> float:
    """Transactions a second of pgbench with 32 clients; `arguments` are further options."""
    program = [
        str(postgres.program("pgbench")),
        "-n",
        "-M",
        "prepared",
        "-c",
        str(CLIENTS),
        "-j",
        "1",
        "-T",
        str(seconds),
    ]
    done = subprocess.run([*program, *arguments, url], check=False, capture_output=True, text=True)
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    return float(found.group(1))


def measure_limits(settings: Settings, seconds: int, folder: Path) -> tuple[float, float]:
    """(the function called by pgbench, pgbench -N), each a second."""
    script = folder / "allocate.sql"
    script.write_text(PGBENCH_SCRIPT.replace("{campaign}", str(CAMPAIGN)))
    admin_url = postgres.admin_url(settings)
    limit = pgbench(admin_url, seconds, "-f", str(script), "-D", f"members={MEMBERS}", "-D", f"ideas={IDEAS}")
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE pgbench"))
    url = databases.with_database(admin_url, "pgbench")
    subprocess.run([postgres.program("pgbench"), "-i", "-q", "-s", "50", url], check=True, capture_output=True)
    return limit, pgbench(url, seconds, "-N")


def measure_http(settings: Settings, port: int, seconds: int, folder: Path, *, ideas: int) -> dict[str, Any]:
    """32 members allocating a coin at a time, each to its random ideas out of `ideas`."""
    chooser = random.Random(ideas)
    connections = []
    for number in range(1, CLIENTS + 1):
        token = issue_access_token(
            settings, User(id=member_id(number), roles=[], permissions=[], token_version=0), CAMPAIGN
        )
        requests = []
        for _ in range(200):
            body = json.dumps({"idea_id": str(idea_id(chooser.randint(1, ideas))), "coins": 1})
            requests.append(
                f"POST /api/v1/campaigns/{CAMPAIGN}/coins/allocate HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Authorization: Bearer {token}\r\nIdempotency-Key: {{key}}\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n{body}"
            )
        connections.append(requests)
    plan = folder / "plan.json"
    plan.write_text(json.dumps({"host": "127.0.0.1", "port": port, "seconds": seconds, "connections": connections}))
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.http_load", str(plan)], check=True, capture_output=True, text=True
    )
    result: dict[str, Any] = json.loads(done.stdout)
    assert set(result["statuses"]) == {"201"}, f"not every allocation succeeded: {result['statuses']}"
    result["per_s"] = result["statuses"]["201"] / result["elapsed_s"]
    return result


def serve(settings: Settings, port: int) -> subprocess.Popen[bytes]:
    """One worker of the API, as `ideamint up` runs it, ready to answer."""
    variables = {
        "IDEAMINT_DATA_DIR": str(settings.data_dir),
        "IDEAMINT_DATABASE_URL": str(settings.database_url),
        "IDEAMINT_LOG_LEVEL": "WARNING",
    }
    server = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "--factory", "api.main:create_app", "--port", str(port), "--no-access-log",
         "--log-level", "warning"],
        env={**os.environ, **variables},
    )  # fmt: skip
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=2):
                return server
        except OSError:
            time.sleep(0.1)
    server.kill()
    msg = "the API did not become ready within 20 s"
    raise RuntimeError(msg)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="length of each of the four measurements")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ideamint-bench-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL may run as another account
        installation = configuration.load(_env_file=None, data_dir=folder / "data", database_url=None)
        with postgres.running(installation) as settings:
            postgres.migrate(settings)
            seed(settings)
            limit_per_s, pgbench_n_per_s = measure_limits(settings, arguments.seconds, folder)
            port = free_port()
            server = serve(settings, port)
            try:
                measure_http(settings, port, 2, folder, ideas=IDEAS)
                spread = measure_http(settings, port, arguments.seconds, folder, ideas=IDEAS)
                hot = measure_http(settings, port, arguments.seconds, folder, ideas=1)
            finally:
                server.terminate()
                server.wait(10)
    figures = {
        "limit_per_s": round(limit_per_s),
        "pgbench_n_per_s": round(pgbench_n_per_s),
        "spread_per_s": round(spread["per_s"]),
        "hot_per_s": round(hot["per_s"]),
        "ratio_spread": round(spread["per_s"] / limit_per_s, 3),
        "ratio_hot": round(hot["per_s"] / limit_per_s, 3),
        "p50_ms": round(spread["p50_ms"], 1),
        "p99_ms": round(spread["p99_ms"], 1),
        "load_cores": round(spread["cores"], 2),
    }
    if arguments.json:
        sys.stdout.write(json.dumps(figures) + "\n")
        return
    for figure, value in figures.items():
        sys.stdout.write(f"{figure:16} {value:>10,}\n")


if __name__ == "__main__":
    main()
