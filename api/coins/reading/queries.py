"""Queries of the ledger for members and managers. Each is one statement that uses an index.

All postings of a member's accounts have a version; the condition on it lets the planner use the partial index. OFFSET 0
within LATERAL makes the planner look up each account instead of reading all postings once.
"""

from __future__ import annotations

from sqlalchemy import text

from api.coins.policies import PolicyRead

# For each account of a member: its balance at the requested version, and the coins that expired or were returned. No
# sum over the history is needed. Closing an idea empties its stakes, and a reopened stake gets back exactly what it
# had, so the expired or returned coins are its last posting. The end of the campaign empties the wallet, and afterwards
# only closed ideas return coins to it, once each, so that posting is among the last (number of stakes + 1).
# coins_verify counts every account for which this is not true.
_ACCOUNTS = """
    SELECT m.campaign_id, m.kind, m.idea_id, coalesce(p.coins, 0) AS coins,
        coalesce(p.expired_coins, 0) AS expired_coins, coalesce(p.returned_coins, 0) AS returned_coins
    FROM (
        SELECT a.id, a.campaign_id, a.kind, a.idea_id, {version} AS version,
            CASE a.kind WHEN 'wallet' THEN count(*) FILTER (WHERE a.kind = 'stake') OVER (PARTITION BY a.campaign_id)
                ELSE 0 END AS returns_max
        FROM app.coin_accounts AS a
        WHERE {mine}
    ) AS m
    CROSS JOIN LATERAL (
        SELECT max(p.balance_after_coins) FILTER (WHERE p.account_version = m.version) AS coins,
            -sum(p.amount_coins) FILTER (WHERE p.kind IN ('expire', 'settle')) AS expired_coins,
            -sum(p.amount_coins) FILTER (WHERE p.kind = 'return' AND p.amount_coins < 0) AS returned_coins
        FROM (
            SELECT p.account_version, p.balance_after_coins, p.amount_coins, t.kind FROM app.coin_postings AS p
            JOIN app.coin_transfers AS t ON t.id = p.transfer_id
            WHERE p.account_id = m.id AND p.account_version BETWEEN m.version - m.returns_max AND m.version
            OFFSET 0
        ) AS p
    ) AS p
"""

BALANCE = text(
    _ACCOUNTS.format(
        version="app.coins_version_at(a.id, a.version, :at)",
        mine="a.campaign_id = :campaign_id AND a.user_id = :user_id",
    )
    + "ORDER BY m.id"
)

# The newest transfers of each account of the member, or of the stake on one idea, and of these the newest with their lines.
STATEMENT = text(
    """
    WITH page AS (
        SELECT DISTINCT p.transfer_id, p.effective_at
        FROM app.coin_accounts AS a
        CROSS JOIN LATERAL app.coins_account_transfers(
            a.id, a.version, :limit, :since, :until, :after_at, :after_id, CAST(:kinds AS text[])) AS p
        WHERE a.campaign_id = :campaign_id AND a.user_id = :user_id
            AND (CAST(:idea_id AS uuid) IS NULL OR a.idea_id = :idea_id)
        ORDER BY p.effective_at DESC, p.transfer_id DESC
        LIMIT :limit
    )
    SELECT l.transfer_id, t.kind, max(abs(l.amount_coins))::bigint AS coins,
        (array_agg(a.idea_id) FILTER (WHERE l.side = -1))[1] AS from_idea_id,
        (array_agg(a.idea_id) FILTER (WHERE l.side = 1))[1] AS to_idea_id,
        max(l.balance_after_coins) FILTER (WHERE a.kind = 'wallet') AS wallet_after_coins,
        (array_agg(l.balance_after_coins ORDER BY l.side DESC) FILTER (WHERE a.kind = 'stake'))[1] AS stake_after_coins,
        t.reason, g.effective_at
    FROM page AS g
    JOIN app.coin_transfers AS t ON t.id = g.transfer_id
    JOIN app.coin_postings AS l ON l.transfer_id = g.transfer_id AND l.account_version IS NOT NULL
    JOIN app.coin_accounts AS a ON a.id = l.account_id
    GROUP BY l.transfer_id, t.kind, t.reason, g.effective_at
    ORDER BY g.effective_at DESC, l.transfer_id DESC
    """
)

_BY_CAMPAIGN = """
    SELECT m.campaign_id,
        coalesce(sum(m.coins) FILTER (WHERE m.kind = 'wallet'), 0)::bigint AS wallet_coins,
        coalesce(sum(m.coins) FILTER (WHERE m.kind = 'stake'), 0)::bigint AS staked_coins,
        sum(m.expired_coins)::bigint AS expired_coins,
        count(*) FILTER (WHERE m.kind = 'stake' AND m.coins > 0) AS ideas_backed
    FROM ({accounts}) AS m
    GROUP BY m.campaign_id
    ORDER BY m.campaign_id
"""

MY_CAMPAIGNS = text(_BY_CAMPAIGN.format(accounts=_ACCOUNTS.format(version="a.version", mine="a.user_id = :user_id")))

_POLICY_COLUMNS = ", ".join(f"p.{name}" for name in PolicyRead.model_fields if name != "created_by_name")
_POLICIES = "SELECT {columns} FROM app.coin_policies AS p WHERE p.campaign_id = :campaign_id ORDER BY p.version DESC"
POLICIES = text(_POLICIES.format(columns=_POLICY_COLUMNS))

_POLICY = """
    SELECT l.campaign_id, {columns} FROM app.coin_ledgers AS l
    JOIN app.coin_policies AS p ON p.campaign_id = l.campaign_id AND p.version = l.policy_version
    WHERE l.campaign_id {condition}
    """
POLICY = text(_POLICY.format(columns=_POLICY_COLUMNS, condition="= :campaign_id"))
POLICIES_IN_FORCE = text(_POLICY.format(columns=_POLICY_COLUMNS, condition="= ANY (:campaign_ids)"))

WALLETS = text(
    """
    SELECT a.user_id, a.balance_coins AS wallet_coins, a.frozen_at IS NOT NULL AS is_frozen FROM app.coin_accounts AS a
    WHERE a.campaign_id = :campaign_id AND a.user_id = ANY (:user_ids) AND a.kind = 'wallet'
    """
)

HAS_STAKE_ACCOUNT = text(
    """
    SELECT EXISTS (
        SELECT FROM app.coin_accounts AS a WHERE a.idea_id = :idea_id AND a.user_id = :user_id AND a.kind = 'stake')
    """
)

SETTLED = text(
    """
    SELECT t.settled_coins AS coins, t.settled_backers AS backers, t.settled_at IS NULL AS is_settling
    FROM app.coin_targets AS t
    WHERE t.idea_id = :idea_id AND NOT t.is_open
    """
)

# the coins of stakes; of a settled one, those that the settlement took
_STAKES = """
    SELECT {columns}, coalesce(nullif(a.balance_coins, 0), s.coins) AS coins
    FROM app.coin_accounts AS a
    LEFT JOIN LATERAL (
        SELECT -p.amount_coins AS coins FROM app.coin_postings AS p
        JOIN app.coin_transfers AS t ON t.id = p.transfer_id AND t.kind IN ('expire', 'return', 'settle')
        WHERE p.account_id = a.id AND p.account_version = a.version AND a.balance_coins = 0
        LIMIT 1
    ) AS s ON true
    WHERE {condition} AND a.kind = 'stake' AND (a.balance_coins > 0 OR s.coins > 0)
    ORDER BY {columns}
    """

# in the order of the index, so that a page reads only its rows
BACKERS = text(
    _STAKES.format(
        columns="a.user_id",
        condition="a.idea_id = :idea_id AND (CAST(:after AS uuid) IS NULL OR a.user_id > :after)",
    )
    + "LIMIT :limit"
)

STAKES = text(_STAKES.format(columns="a.user_id, a.idea_id", condition="a.campaign_id = :campaign_id"))

WALLET_COUNT = text(
    "SELECT count(*) FROM app.coin_accounts AS a WHERE a.campaign_id = :campaign_id AND a.kind = 'wallet'"
)

STAKED = """
    SELECT w.user_id
    FROM app.coin_accounts AS s
    JOIN app.coin_accounts AS w ON w.campaign_id = s.campaign_id AND w.user_id = s.user_id AND w.kind = 'wallet'
    WHERE s.idea_id = %(idea_id)s AND s.kind = 'stake' AND s.balance_coins > 0 AND s.user_id = ANY (%(user_ids)s)
    ORDER BY w.id
"""

# of a campaign without a ledger, the undo window is 0
LIST_FACTS = """
    SELECT clock_timestamp() AS now, g.aggregated_at, coalesce((
        SELECT p.undo_window_h FROM app.coin_ledgers AS l
        JOIN app.coin_policies AS p ON p.campaign_id = l.campaign_id AND p.version = l.policy_version
        WHERE l.campaign_id = %(campaign_id)s
    ), 0) AS undo_window_h
    FROM app.coin_aggregations AS g
"""

VERIFY = text(
    """
    SELECT v.campaign_id, v.issued_coins, v.carried_in_coins, v.wallet_coins, v.held_coins, v.staked_coins, v.expired_coins,
        v.carried_out_coins, v.difference_coins, v.wrong_balances, v.unbalanced_transfers, v.wrong_totals
    FROM app.coins_verify(CAST(:campaign_id AS uuid)) AS v
    ORDER BY v.campaign_id
    """
)

REMAINING = text(
    """
    SELECT coalesce(sum(a.balance_coins), 0)::bigint AS coins, count(DISTINCT a.user_id)::integer AS members
    FROM app.coin_accounts AS a
    LEFT JOIN app.coin_targets AS t ON t.idea_id = a.idea_id
    WHERE a.campaign_id = :campaign_id AND a.balance_coins > 0
        AND (a.kind IN ('wallet', 'held') OR (a.kind = 'stake' AND t.is_open))
    """
)
