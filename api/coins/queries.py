"""What members and managers read of the ledger. Each is one statement, served by an index.

Postings of a member's accounts all have a version; it is asked for because the index on it leaves out those that have none.
OFFSET 0 within LATERAL skips nothing: it keeps the planner at a look-up an account, where it would read all postings once.
"""

from __future__ import annotations

from sqlalchemy import text

# a past balance is one index look-up an account: its last posting up to then
BALANCE = text(
    """
    SELECT a.kind, a.idea_id, coalesce(p.balance_after_coins, 0) AS coins
    FROM app.coin_accounts AS a
    LEFT JOIN LATERAL (
        SELECT p.balance_after_coins FROM app.coin_postings AS p
        WHERE p.account_id = a.id AND p.account_version IS NOT NULL AND p.effective_at <= :at
        ORDER BY p.account_version DESC LIMIT 1
    ) AS p ON true
    WHERE a.campaign_id = :campaign_id AND a.user_id = :user_id
    ORDER BY a.id
    """
)

# what entered and left a member's accounts for good, up to then; a reversal puts back what expired
FLOWS = text(
    """
    SELECT
        coalesce(sum(p.amount_coins) FILTER (WHERE p.kind IN ('grant', 'correct')), 0)::bigint AS granted_coins,
        coalesce(-sum(p.amount_coins) FILTER (WHERE p.kind IN ('expire', 'settle', 'reverse')), 0)::bigint AS expired_coins,
        coalesce(sum(p.amount_coins) FILTER (WHERE p.kind = 'return' AND p.side = 1), 0)::bigint AS returned_coins
    FROM app.coin_accounts AS a
    CROSS JOIN LATERAL (
        SELECT t.kind, p.side, p.amount_coins FROM app.coin_postings AS p
        JOIN app.coin_transfers AS t ON t.id = p.transfer_id
        WHERE p.account_id = a.id AND p.account_version IS NOT NULL AND p.effective_at <= :at
        OFFSET 0
    ) AS p
    WHERE a.campaign_id = :campaign_id AND a.user_id = :user_id
    """
)

# both postings of a movement bear its time, so lines are passed over before their transfers are looked up
STATEMENT = text(
    """
    SELECT p.transfer_id, p.kind, max(abs(p.amount_coins))::bigint AS coins,
        (array_agg(a.idea_id) FILTER (WHERE p.side = -1))[1] AS from_idea_id,
        (array_agg(a.idea_id) FILTER (WHERE p.side = 1))[1] AS to_idea_id,
        max(p.balance_after_coins) FILTER (WHERE a.kind = 'wallet') AS wallet_after_coins,
        (array_agg(p.balance_after_coins ORDER BY p.side DESC) FILTER (WHERE a.kind = 'stake'))[1] AS stake_after_coins,
        p.reason, p.effective_at
    FROM app.coin_accounts AS a
    CROSS JOIN LATERAL (
        SELECT p.transfer_id, p.side, p.amount_coins, p.balance_after_coins, p.effective_at, t.kind, t.reason
        FROM app.coin_postings AS p
        JOIN app.coin_transfers AS t ON t.id = p.transfer_id
        WHERE p.account_id = a.id AND p.account_version IS NOT NULL
            AND p.effective_at >= coalesce(CAST(:since AS timestamptz), '-infinity')
            AND p.effective_at < coalesce(CAST(:until AS timestamptz), 'infinity')
            AND (CAST(:kinds AS text[]) IS NULL OR t.kind = ANY (:kinds))
            AND (CAST(:after_at AS timestamptz) IS NULL
                OR (p.effective_at, p.transfer_id) < (CAST(:after_at AS timestamptz), CAST(:after_id AS uuid)))
        OFFSET 0
    ) AS p
    WHERE a.campaign_id = :campaign_id AND a.user_id = :user_id
    GROUP BY p.transfer_id, p.kind, p.reason, p.effective_at
    HAVING CAST(:idea_id AS uuid) IS NULL OR bool_or(a.idea_id = :idea_id)
    ORDER BY p.effective_at DESC, p.transfer_id DESC
    LIMIT :limit
    """
)

MY_CAMPAIGNS = text(
    """
    SELECT a.campaign_id,
        coalesce(sum(a.balance_coins) FILTER (WHERE a.kind = 'wallet'), 0)::bigint AS wallet_coins,
        coalesce(sum(a.balance_coins) FILTER (WHERE a.kind = 'stake'), 0)::bigint AS staked_coins,
        coalesce((
            SELECT -sum(p.amount_coins) FROM app.coin_accounts AS mine
            CROSS JOIN LATERAL (
                SELECT p.amount_coins FROM app.coin_postings AS p
                JOIN app.coin_transfers AS t ON t.id = p.transfer_id AND t.kind IN ('expire', 'settle', 'reverse')
                WHERE p.account_id = mine.id AND p.account_version IS NOT NULL
                OFFSET 0
            ) AS p
            WHERE mine.user_id = :user_id AND mine.campaign_id = a.campaign_id
        ), 0)::bigint AS expired_coins,
        count(*) FILTER (WHERE a.kind = 'stake' AND a.balance_coins > 0) AS ideas_backed
    FROM app.coin_accounts AS a
    WHERE a.user_id = :user_id
    GROUP BY a.campaign_id
    ORDER BY a.campaign_id
    """
)

POLICIES = text("SELECT * FROM app.coin_policies WHERE campaign_id = :campaign_id ORDER BY version DESC")

# an open idea's total is summed from its stakes, a closed one's is what it had when it was closed
IDEA_TOTALS = text(
    """
    SELECT t.idea_id, coalesce(t.settled_coins, s.coins) AS coins, coalesce(t.settled_backers, s.backers) AS backers
    FROM app.coin_targets AS t
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(a.balance_coins), 0)::bigint AS coins,
            count(*) FILTER (WHERE a.balance_coins > 0)::integer AS backers
        FROM app.coin_accounts AS a
        WHERE a.idea_id = t.idea_id AND a.kind = 'stake' AND t.is_open
    ) AS s
    WHERE t.idea_id = ANY (:idea_ids)
    """
)

# my own stake: what is there now, and what was there when the idea was settled
MY_STAKES = text(
    """
    SELECT a.idea_id, CASE WHEN a.balance_coins > 0 THEN a.balance_coins ELSE coalesce(-p.amount_coins, 0) END AS coins
    FROM app.coin_accounts AS a
    LEFT JOIN app.coin_postings AS p ON p.account_id = a.id AND p.account_version = a.version AND p.side = -1
        AND EXISTS (SELECT FROM app.coin_transfers AS t WHERE t.id = p.transfer_id AND t.kind IN ('expire', 'settle', 'return'))
    WHERE a.user_id = :user_id AND a.idea_id = ANY (:idea_ids) AND a.kind = 'stake'
    """
)

FOLDED_AT = text("SELECT folded_at FROM app.coin_folds")

VERIFY = text("SELECT * FROM app.coins_verify(CAST(:campaign_id AS uuid)) ORDER BY campaign_id")
