"""Measures lists of ideas in a campaign with 100,000 ideas and 1,000,000 stakes, beside `pgbench -N` in the same run.

    python -m benchmarks.lists [--ideas 100000] [--stakes 1000000] [--seconds 6] [--samples 40] [--json]

One API process and one worker. First the latency of single requests, one after the other: `p50` and `p95` of pages of 50 ideas, in
each order from the first page to the last, with filters, of the history of an idea, and of what waits for managers. Then 32
clients read lists at the same time: by coins, newest, random and filtered, in rounds that alternate with `pgbench -N`.
`ratio_...` is their rate divided by that of `pgbench -N`, each the median of the rounds. The load generator (Go) runs on the
same machine.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import psycopg

from api.ideas.lists.grammar import SORTS
from api.ideas.lists.orders import ORDERS, mask_of
from api.kernel.web import Paging
from benchmarks import http_load, ledgers
from cli.local import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from settings import Settings

IDEAS = 100_000
MEMBERS = 20_000
STAKES = 1_000_000
ROUNDS = 3
SEED = "benchmark"
MANAGER = 1
"""The number of the manager; all other members are plain ones."""
FILTERS = {
    "status": "status:accepted,in_progress",
    "tag": "tag:parks",
    "rare_tag": 'tag:"rare 7"',
    "coins": "coins:>15 sort:newest",
    "backers": "backers:>=12 sort:oldest",
    "comments": "comments:>=3 sort:newest",
    "created": "created:2026-03-01..2026-03-07",
    "decided": "decided:2026-06-01..2026-06-30 sort:newest",
    "due": "due:2026-08-01..2026-08-31 sort:deadline",
    "overdue": "is:overdue sort:deadline",
    "cost": "cost:>=9000 sort:newest",
    "mine": "is:mine",
    "followed": "is:followed",
    "backed": "is:backed sort:coins",
    "owner": "owner:none status:accepted sort:newest",
    "answer": "has:answer",
    "attachments": "-has:attachments sort:newest",
    "waiting": "is:waiting",
    "text": "benches sort:newest",
    "rare_text": "idea-99991 sort:newest",
    "many": "status:competing tag:parks -tag:done coins:5..40 comments:<3 -has:answer sort:coins",
}
LOADS = {
    "coins": "sort=coins",
    "newest": "sort=newest",
    "random": "sort=random",
    "filtered": f"q={quote('tag:parks status:competing sort:newest')}",
}

# Rows as those of years of use, without the triggers; the figures are computed afterwards as by the migration.
_SEED = """
INSERT INTO app.users (id, display_name)
SELECT app.benchmark_id('a', n), 'Member ' || n FROM generate_series(1, {members}) AS n;
INSERT INTO app.campaigns (id, slug, title, status, activated_at)
VALUES ('{campaign}', 'lists', 'Lists', 'active', now());
INSERT INTO app.memberships (campaign_id, user_id, role)
SELECT '{campaign}', app.benchmark_id('a', n), CASE n WHEN {manager} THEN 'manager' ELSE 'member' END
FROM generate_series(1, {members}) AS n;
INSERT INTO app.ideas (id, campaign_id, author_id, title, description, status, submitted_at, status_changed_at, updated_at,
    changes_requested_at)
SELECT app.benchmark_id('b', n), '{campaign}', app.benchmark_id('a', 1 + n % {members}), 'Idea ' || md5(n::text),
    'This is idea-' || n || '. ' || repeat('Enough words to say what should be built, and why it is useful. ', 1 + n % 5)
    || CASE WHEN n % 3 = 0 THEN 'With benches.' ELSE '' END,
    s.status, '2026-01-01'::timestamptz + n * interval '4 minutes', '2026-01-02'::timestamptz + n * interval '4 minutes',
    '2026-01-02'::timestamptz + n * interval '4 minutes', CASE WHEN s.status = 'pending' AND n % 4 = 0 THEN now() END
FROM generate_series(1, {ideas}) AS n
CROSS JOIN LATERAL (SELECT (ARRAY['accepted', 'in_progress', 'complete', 'rejected', 'pending'])[1 + n / 25 % 5]) AS o (other)
CROSS JOIN LATERAL (SELECT CASE WHEN n % 25 = 0 THEN o.other ELSE 'competing' END) AS s (status);
INSERT INTO app.idea_status_changes (idea_id, to_status, changed_at)
SELECT i.id, i.status, i.status_changed_at FROM app.ideas AS i;
INSERT INTO app.idea_tags (idea_id, kind, name)
SELECT app.benchmark_id('b', n), 'tag', (ARRAY['parks', 'streets', 'schools', 'done'])[1 + n % 4] FROM generate_series(1, {ideas}) AS n
UNION ALL SELECT app.benchmark_id('b', n), 'tag', 'rare ' || n % 5000 FROM generate_series(1, {ideas}) AS n
UNION ALL SELECT app.benchmark_id('b', n), 'category', 'city' FROM generate_series(1, {ideas}, 2) AS n;
INSERT INTO app.comments (id, campaign_id, idea_id, kind, root_id, depth, author_id, text, official_at, official_by)
SELECT c.id, '{campaign}', app.benchmark_id('b', c.n), 'comment', c.id, 1, app.benchmark_id('a', 1 + c.n % {members}), 'Where is it?',
    CASE WHEN c.n % 50 = 0 AND c.k = 1 THEN now() END, CASE WHEN c.n % 50 = 0 AND c.k = 1 THEN app.benchmark_id('a', 1) END
FROM (
    SELECT app.uuid7() AS id, n, k FROM generate_series(1, {ideas}) AS n, generate_series(1, 5) AS k WHERE n % 10 < k
) AS c;
INSERT INTO app.idea_followers (user_id, idea_id)
SELECT app.benchmark_id('a', m), app.benchmark_id('b', (m * 97 + k * 31) % {ideas} + 1)
FROM generate_series(1, {members}) AS m, generate_series(1, 20) AS k ON CONFLICT DO NOTHING;
INSERT INTO app.idea_owners (idea_id, user_id)
SELECT app.benchmark_id('b', n), app.benchmark_id('a', 1 + n % 50) FROM generate_series(50, {ideas}, 50) AS n;
INSERT INTO app.idea_milestones (campaign_id, idea_id, position, title, due_on)
SELECT '{campaign}', app.benchmark_id('b', n), k, 'Step ' || k, '2026-06-01'::date + (n / 25 + 30 * k) % 300
FROM generate_series(25, {ideas}, 25) AS n, generate_series(1, 2) AS k;
INSERT INTO app.idea_valuations (idea_id, kind, amount, currency, valued_on, source)
SELECT app.benchmark_id('b', n), 'expected_cost', n % 10000, 'EUR', '2026-01-01', 'an estimate'
FROM generate_series(1, {ideas}, 5) AS n;
INSERT INTO app.attachments (campaign_id, idea_id, name, media_type, size_bytes, sha256)
SELECT '{campaign}', app.benchmark_id('b', n), 'plan.txt', 'text/plain', 9, sha256('plan') FROM generate_series(1, {ideas}, 10) AS n;
INSERT INTO app.coin_targets (idea_id, campaign_id, author_id)
SELECT i.id, i.campaign_id, i.author_id FROM app.ideas AS i WHERE i.status <> 'pending';
INSERT INTO app.coin_accounts (campaign_id, kind, user_id, idea_id, balance_coins, version, moved_at)
SELECT '{campaign}', 'stake', app.benchmark_id('a', s.m), app.benchmark_id('b', s.n), 1 + s.k % 3, 1, now()
FROM (
    SELECT DISTINCT ON (1, 2) 1 + abs(hashint8(k)::bigint) % {members} AS m, 1 + abs(hashint8extended(k, 1) % {ideas}) AS n, k
    FROM generate_series(1::bigint, {stakes}) AS k
) AS s;
INSERT INTO app.coin_totals (idea_id, campaign_id, coins, backers)
SELECT a.idea_id, a.campaign_id, sum(a.balance_coins), count(*) FROM app.coin_accounts AS a WHERE a.kind = 'stake'
GROUP BY a.idea_id, a.campaign_id;
INSERT INTO app.coin_postings (transfer_id, side, account_id, amount_coins, account_version, balance_after_coins, effective_at)
SELECT app.uuid7(), 1, a.id, a.balance_coins, 1, a.balance_coins, now() FROM app.coin_accounts AS a WHERE a.kind = 'stake';
INSERT INTO app.idea_figures (idea_id, campaign_id, coins, backers, trend_coins, comments, next_due_on)
SELECT i.id, i.campaign_id, coalesce(f.coins, 0), coalesce(f.backers, 0), coalesce(f.coins, 0) % 7,
    (SELECT count(*) FROM app.comments AS c WHERE c.idea_id = i.id),
    coalesce((SELECT min(m.due_on) FROM app.idea_milestones AS m WHERE m.idea_id = i.id), 'infinity')
FROM app.ideas AS i LEFT JOIN app.coin_totals AS f ON f.idea_id = i.id;
"""
_ID_FUNCTION = """
CREATE FUNCTION app.benchmark_id(p_kind text, p_number bigint) RETURNS uuid LANGUAGE sql IMMUTABLE
RETURN ('00000000-0000-7000-8000-' || p_kind || lpad(p_number::text, 11, '0'))::uuid
"""


def seed(settings: Settings, ideas: int, stakes: int) -> None:
    """Fill one campaign by a few statements."""
    with psycopg.connect(settings.database.role_url("app")) as connection:
        policy = json.dumps({"coins_per_member": ledgers.COINS})
        connection.execute("SELECT app.coins_open_ledger(%s, %s::jsonb, NULL)", (ledgers.CAMPAIGN, policy))
    with psycopg.connect(postgres.admin_url(settings), autocommit=True) as connection:
        connection.execute(_ID_FUNCTION)
        # without triggers and foreign keys; the rows fit
        connection.execute("SET session_replication_role = replica")
        values = {
            "campaign": ledgers.CAMPAIGN, "members": MEMBERS, "manager": MANAGER, "ideas": ideas, "stakes": stakes,
        }  # fmt: skip
        for statement in _SEED.format(**values).split(";\n"):
            if statement.strip():
                connection.execute(statement.encode())
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


class Reader:
    """One client with one connection, which measures each response."""

    def __init__(self, port: int, token: str) -> None:
        """The requests have the access token."""
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self, path: str) -> tuple[float, dict[str, Any]]:
        """The milliseconds of a response, and its content."""
        began = time.perf_counter()
        self._connection.request("GET", f"/api/v1{path}", headers=self._headers)
        response = self._connection.getresponse()
        content = response.read()
        elapsed_ms = (time.perf_counter() - began) * 1000
        assert response.status == 200, f"{path}: {response.status} {content[:300]!r}"
        body: dict[str, Any] = json.loads(content)
        return elapsed_ms, body


def measure_latencies(
    reader: Reader, cursors: dict[str, list[str]], samples: int, ideas: int
) -> Iterator[tuple[str, list[float]]]:
    """The milliseconds of single requests, by what is read."""
    lists = f"/campaigns/{ledgers.CAMPAIGN}/ideas"
    for sort in SORTS:
        paths = [
            f"{lists}?sort={sort}&seed={SEED}" + (f"&cursor={cursor}" if cursor else "") for cursor in cursors[sort]
        ]
        yield f"sort {sort}", [reader.get(path)[0] for path in paths]
    for name, query in FILTERS.items():
        path = f"{lists}/filter?q={quote(query)}"
        yield f"filter {name}", [reader.get(path)[0] for _ in range(samples)]
    chooser = random.Random(samples)
    numbers = [chooser.randint(1, ideas) for _ in range(samples)]
    yield "history", [reader.get(f"/ideas/{ledgers.idea_id(number)}/history")[0] for number in numbers]


def find_cursors(settings: Settings, samples: int) -> dict[str, list[str]]:
    """Cursors of pages from the first to the last of each order."""
    found: dict[str, list[str]] = {}
    with psycopg.connect(postgres.admin_url(settings)) as connection:
        for sort, order in ORDERS.items():
            key = f"({order.key} # {mask_of(SEED)})" if sort == "random" else order.key
            rows = connection.execute(
                f"SELECT k.key, k.id FROM (SELECT ({key})::text AS key, i.id, row_number() OVER "  # noqa: S608 - of the code
                f"(ORDER BY {key} {order.direction}, i.id {order.direction}) AS n, count(*) OVER () AS total "
                "FROM app.ideas AS i JOIN app.idea_figures AS f ON f.idea_id = i.id) AS k "
                f"WHERE k.n % (k.total / {samples}) = 0 OR k.n = k.total - 10 ORDER BY k.n".encode()
            ).fetchall()
            found[sort] = ["", *(Paging(1, None).cursor_of([sort, *row]) for row in rows)]
    return found


def measure_rates(settings: Settings, port: int, seconds: float, folder: Path) -> dict[str, float]:
    """Lists per second of 32 clients, and `pgbench -N`, in alternating rounds."""
    tokens = ledgers.tokens(settings, range(2, ledgers.CLIENTS + 2))
    path = f"/api/v1/campaigns/{ledgers.CAMPAIGN}/ideas"
    rates: dict[str, list[float]] = {name: [] for name in ["pgbench_n", *LOADS]}
    for _ in range(ROUNDS):
        rates["pgbench_n"].append(ledgers.pgbench_simple_update(settings, max(1, round(seconds / ROUNDS))))
        for name, query in LOADS.items():
            requests = [
                f"GET {path}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\r\n"
                for token in tokens.values()
            ]
            plan: dict[str, Any] = {
                "host": "127.0.0.1",
                "port": port,
                "seconds": seconds / ROUNDS,
                "connections": [[request] for request in requests],
            }
            load = http_load.run(plan, folder)
            assert set(load.statuses) == {200}, f"{name}: {load.statuses}"
            rates[name].append(load.statuses[200] / load.elapsed_s)
    per_s = {name: statistics.median(each) for name, each in rates.items()}
    return {
        **{f"{name}_per_s": round(rate) for name, rate in per_s.items()},
        **{f"ratio_{name}": round(per_s[name] / per_s["pgbench_n"], 3) for name in LOADS},
    }


def measure(settings: Settings, arguments: argparse.Namespace, folder: Path) -> dict[str, float]:
    """All figures."""
    seed(settings, arguments.ideas, arguments.stakes)
    figures: dict[str, float] = {}
    cursors = find_cursors(settings, arguments.samples)
    with ledgers.api(settings, IDEAMINT_SEARCHES_PER_CALLER=ledgers.RATE_OF_CALLERS) as port:
        for number, who in ((MANAGER, "manager"), (2, "member")):
            [token] = ledgers.tokens(settings, [number]).values()
            reader = Reader(port, token)
            latencies = dict(measure_latencies(reader, cursors, arguments.samples, arguments.ideas))
            if number == MANAGER:
                todo = f"/campaigns/{ledgers.CAMPAIGN}/todo"
                latencies["todo"] = [reader.get(todo)[0] for _ in range(arguments.samples)]
            for name, found in latencies.items():
                ordered = sorted(found)
                figures[f"{who} {name} p50_ms"] = round(statistics.median(ordered), 1)
                figures[f"{who} {name} p95_ms"] = round(ordered[min(int(len(ordered) * 0.95), len(ordered) - 1)], 1)
        figures |= measure_rates(settings, port, arguments.seconds, folder)
    return figures


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ideas", type=int, default=IDEAS)
    parser.add_argument("--stakes", type=int, default=STAKES)
    parser.add_argument("--seconds", type=float, default=6, help="load of each list")
    parser.add_argument("--samples", type=int, default=40, help="single requests of each kind, about")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    arguments = parser.parse_args()
    try:
        with ledgers.installation() as (settings, folder):
            figures = measure(settings, arguments, folder)
    except http_load.GoMissing as error:
        sys.exit(str(error))
    ledgers.print_figures(figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
