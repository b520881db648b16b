"""Queries of the statistics. Their cost grows with members, ideas and unaggregated transfers, not with history.

LIMIT within LATERAL removes no row. It makes the planner look up each row instead of reading a whole table once.
"""

from __future__ import annotations

from sqlalchemy import text

# the balance of each wallet, and one look-up per wallet whether its owner has a stake
MEMBERS = text(
    """
    SELECT coalesce(sum(w.balance_coins), 0)::bigint AS wallet_coins, count(*) AS members_with_wallet,
        count(s.is_active) AS active_members,
        (SELECT coalesce(sum(h.balance_coins), 0)::bigint FROM app.coin_accounts AS h
            WHERE h.campaign_id = :campaign_id AND h.kind = 'held') AS held_coins
    FROM app.coin_accounts AS w
    LEFT JOIN LATERAL (
        SELECT true AS is_active FROM app.coin_accounts AS a
        WHERE a.user_id = w.user_id AND a.campaign_id = w.campaign_id AND a.kind = 'stake'
        LIMIT 1
    ) AS s ON true
    WHERE w.campaign_id = :campaign_id AND w.kind = 'wallet'
    """
)

# accounts without a stored balance, which have few postings: about one for each member
OUTSIDE = text(
    """
    SELECT
        coalesce((SELECT -sum(p.amount_coins) FROM app.coin_postings AS p
            WHERE p.account_id = l.mint_id AND p.account_version IS NULL), 0)::bigint AS granted_coins,
        coalesce((SELECT -sum(p.amount_coins) FROM app.coin_postings AS p
            WHERE p.account_id = l.carried_in_id AND p.account_version IS NULL), 0)::bigint AS carried_in_coins,
        coalesce((SELECT sum(p.amount_coins) FROM app.coin_postings AS p
            WHERE p.account_id = l.carried_out_id AND p.account_version IS NULL), 0)::bigint AS carried_out_coins
    FROM app.coin_ledgers AS l
    WHERE l.campaign_id = :campaign_id
    """
)

# a separate statement: as a value, it lets the planner estimate how few transfers are newer
AGGREGATED_XID = text("SELECT aggregated_xid::text FROM app.coin_aggregations")

# aggregated days, plus later transfers in this snapshot
MOVED = text(
    """
    SELECT coalesce(sum(m.coins), 0)::bigint
    FROM (
        SELECT d.coins FROM app.coin_flows_daily AS d
        WHERE d.campaign_id = :campaign_id AND d.flowed_on >= :since_on AND d.kind = ANY (:kinds)
        UNION ALL
        SELECT p.amount_coins
        FROM app.coin_transfers AS t
        CROSS JOIN LATERAL (
            SELECT p.amount_coins FROM app.coin_postings AS p WHERE p.transfer_id = t.id AND p.side = 1 LIMIT 1
        ) AS p
        WHERE t.xid >= CAST(:aggregated_xid AS xid8) AND t.campaign_id = :campaign_id AND t.kind = ANY (:kinds)
            AND (t.effective_at AT TIME ZONE 'UTC')::date >= :since_on
    ) AS m
    """
)

# Aggregated totals, plus later transfers in this snapshot: exact at the time of the snapshot. The last posting of the
# first settled stake of a closed idea shows whether its coins were returned.
IDEAS = text(
    """
    WITH fresh AS MATERIALIZED (
        SELECT p.idea_id, sum(p.amount_coins)::bigint AS coins,
            sum((p.balance_after_coins > 0)::integer - (p.balance_after_coins > p.amount_coins)::integer)::integer AS backers
        FROM app.coin_transfers AS t
        CROSS JOIN LATERAL (
            SELECT a.idea_id, p.amount_coins, p.balance_after_coins
            FROM app.coin_postings AS p
            JOIN app.coin_accounts AS a ON a.id = p.account_id AND a.kind = 'stake' AND a.campaign_id = :campaign_id
            WHERE p.transfer_id = t.id
            LIMIT 2
        ) AS p
        WHERE t.xid >= CAST(:aggregated_xid AS xid8)
        GROUP BY p.idea_id
    )
    SELECT t.idea_id, t.is_open, coalesce(k.kind = 'return', false) AS is_returned,
        coalesce(f.coins, 0) + coalesce(r.coins, 0) AS staked_coins,
        coalesce(t.settled_coins, coalesce(f.coins, 0) + coalesce(r.coins, 0)) AS coins,
        coalesce(t.settled_backers, coalesce(f.backers, 0) + coalesce(r.backers, 0)) AS backers
    FROM app.coin_targets AS t
    LEFT JOIN app.coin_totals AS f ON f.idea_id = t.idea_id
    LEFT JOIN fresh AS r ON r.idea_id = t.idea_id
    LEFT JOIN LATERAL (
        SELECT x.kind FROM app.coin_accounts AS a
        JOIN app.coin_postings AS p ON p.account_id = a.id AND p.account_version = a.version
        JOIN app.coin_transfers AS x ON x.id = p.transfer_id AND x.kind IN ('expire', 'return', 'settle')
        WHERE a.idea_id = t.idea_id AND a.kind = 'stake' AND t.settled_coins > 0
        ORDER BY a.user_id LIMIT 1
    ) AS k ON true
    WHERE t.campaign_id = :campaign_id
    """
)
