"""Measures allocations and balances with ten million postings in the database, and with an empty database.

    python -m benchmarks.history [--postings 10000000] [--seconds 10] [--json]

32 members allocate over HTTP, then 32 clients read balances, before and after the history of 1,000 other members is added.
`long_balance_*` is the balance of one of these, with a stake on each of 1,000 ideas. The history is inserted without the
ledger's functions, since it corresponds to years of use. The function behind `ideamint verify` then checks it.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psycopg

from benchmarks import http_load, ledgers
from cli import console
from cli.local import postgres

if TYPE_CHECKING:
    from pathlib import Path

    from cli.console import Steps
    from settings import Settings

ALL_IDEAS = range(1, ledgers.IDEAS + 1)
FIRST_MEMBER = 100_001
HISTORY_MEMBERS = 1000
BEGAN_AT = datetime(2020, 1, 1, tzinfo=UTC)

_STAKES = """
    INSERT INTO app.coin_accounts (campaign_id, kind, user_id, idea_id, balance_coins, version, moved_at)
    SELECT %(campaign)s, 'stake', %(member)s, i.id, count(*), count(*), max(%(began)s + i.n * interval '1 second')
    FROM unnest(%(ideas)s::uuid[]) WITH ORDINALITY AS i (id, n) GROUP BY i.id
"""
# one coin to each idea of the list in order
_MOVEMENTS = """
    WITH movement AS MATERIALIZED (
        SELECT i.n, app.uuid7() AS transfer_id, w.id AS wallet_id, s.id AS stake_id, i.round,
            %(began)s + i.n * interval '1 second' AS effective_at
        FROM (
            SELECT u.id, u.n, row_number() OVER (PARTITION BY u.id ORDER BY u.n) AS round
            FROM unnest(%(ideas)s::uuid[]) WITH ORDINALITY AS u (id, n)
        ) AS i
        JOIN app.coin_accounts AS s ON s.idea_id = i.id AND s.user_id = %(member)s AND s.kind = 'stake'
        JOIN app.coin_accounts AS w
            ON w.campaign_id = %(campaign)s AND w.user_id = %(member)s AND w.kind = 'wallet'
    ), transferred AS (
        INSERT INTO app.coin_transfers (id, campaign_id, batch_id, kind, actor_id, effective_at)
        SELECT m.transfer_id, %(campaign)s, m.transfer_id, 'allocate', %(member)s, m.effective_at FROM movement AS m
    )
    INSERT INTO app.coin_postings
        (transfer_id, side, account_id, amount_coins, account_version, balance_after_coins, effective_at)
    SELECT m.transfer_id, -1, m.wallet_id, -1, 1 + m.n, %(coins)s - m.n, m.effective_at FROM movement AS m
    UNION ALL
    SELECT m.transfer_id, 1, m.stake_id, 1, m.round, m.round, m.effective_at FROM movement AS m
"""
_WALLET = """
    UPDATE app.coin_accounts
    SET balance_coins = balance_coins - cardinality(%(ideas)s::uuid[]), version = 1 + cardinality(%(ideas)s::uuid[]),
        moved_at = %(began)s + cardinality(%(ideas)s::uuid[]) * interval '1 second'
    WHERE campaign_id = %(campaign)s AND user_id = %(member)s AND kind = 'wallet'
"""


def measure(settings: Settings, seconds: int, postings: int, folder: Path, steps: Steps) -> dict[str, float]:
    """Rates and latencies on the empty database, and with the history."""
    ledgers.seed(settings)
    steps.say("measuring the empty database")
    empty = _measure(settings, seconds, folder, members=(1,))
    steps.say(f"writing {postings:,} postings")
    write_history(settings, postings, steps)
    steps.say("aggregating, sealing and verifying them")
    ledgers.run_background_work(settings)
    verify(settings)
    steps.say("measuring with the history")
    full = _measure(settings, seconds, folder, members=(1, FIRST_MEMBER))
    (before, balance_before), (after, balance_after, long_balance) = empty, full
    return {
        "postings": postings,
        "allocations_empty_per_s": round(before.per_s),
        "allocations_full_per_s": round(after.per_s),
        "ratio": round(after.per_s / before.per_s, 3),
        "p99_empty_ms": round(before.p99_ms, 1),
        "p99_full_ms": round(after.p99_ms, 1),
        "balance_p50_empty_ms": round(balance_before.p50_ms, 2),
        "balance_p50_full_ms": round(balance_after.p50_ms, 2),
        "long_balance_p50_ms": round(long_balance.p50_ms, 2),
    }


def _measure(settings: Settings, seconds: int, folder: Path, *, members: tuple[int, ...]) -> list[http_load.Load]:
    """The load of allocations, and the load of clients that read the balances of `members`."""
    with ledgers.api(settings) as port:
        plan = ledgers.plan(settings, port, seconds, ideas=ALL_IDEAS)
        http_load.run({**plan, "seconds": 2}, folder)
        loads = [http_load.run(plan, folder)]
        assert set(loads[0].statuses) == {201}, f"not every allocation succeeded: {loads[0].statuses}"
        for token in ledgers.tokens(settings, members).values():
            request = (
                f"GET /api/v1/campaigns/{ledgers.CAMPAIGN}/coins/balance HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                f"Authorization: Bearer {token}\r\n\r\n"
            )
            loads.append(http_load.run({**plan, "connections": [[request]]}, folder))
            assert set(loads[-1].statuses) == {200}, f"not every balance was returned: {loads[-1].statuses}"
    return loads


def write_history(settings: Settings, postings: int, steps: Steps) -> None:
    """Insert movements of 1,000 members with two postings each, in one transaction per member."""
    each = max(postings // 2 // HISTORY_MEMBERS, 1)
    ideas = [ledgers.idea_id(1 + n % ledgers.IDEAS) for n in range(each)]
    members = range(FIRST_MEMBER, FIRST_MEMBER + HISTORY_MEMBERS)
    with psycopg.connect(settings.database.role_url("app")) as connection:
        ledgers.grant(connection, members, at=BEGAN_AT)
    with psycopg.connect(postgres.admin_url(settings)) as connection:
        # without triggers; the verification checks all rows afterwards
        connection.execute("SET session_replication_role = replica")
        for number in members:
            row = {
                "campaign": ledgers.CAMPAIGN, "member": ledgers.member_id(number), "ideas": ideas, "began": BEGAN_AT,
                "coins": ledgers.COINS,
            }  # fmt: skip
            for statement in (_STAKES, _MOVEMENTS, _WALLET):
                connection.execute(statement.encode(), row)
            connection.commit()
            steps.advance(number - FIRST_MEMBER + 1, HISTORY_MEMBERS)


def verify(settings: Settings) -> None:
    """Assert that the inserted rows are consistent with those of the ledger's functions."""
    with psycopg.connect(settings.database.role_url("app"), options="-c statement_timeout=0") as connection:
        found = connection.execute(
            "SELECT difference_coins, wrong_balances, unbalanced_transfers, wrong_totals FROM app.coins_verify(%s)",
            (ledgers.CAMPAIGN,),
        ).fetchone()
    assert found == (0, 0, 0, 0), f"the history is not a consistent ledger: {found}"


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--postings", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=int, default=10, help="length of each measurement")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    arguments = parser.parse_args()
    with ledgers.installation() as (settings, folder), console.steps() as steps:
        figures = measure(settings, arguments.seconds, arguments.postings, folder, steps)
    ledgers.print_figures(figures, as_json=arguments.json)


if __name__ == "__main__":
    main()
