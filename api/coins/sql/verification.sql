-- Checks conservation from the postings alone, and that the stored balances, versions and times of accounts and the
-- aggregated totals agree with them. One row per campaign.
CREATE OR REPLACE FUNCTION app.coins_verify(p_campaign_id uuid DEFAULT NULL) RETURNS TABLE (
    campaign_id uuid, issued_coins bigint, carried_in_coins bigint, wallet_coins bigint, held_coins bigint,
    staked_coins bigint, expired_coins bigint, carried_out_coins bigint, difference_coins bigint,
    wrong_balances bigint, unbalanced_transfers bigint, wrong_totals bigint
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    WITH posted AS (
        SELECT a.campaign_id, a.id, a.kind, a.balance_coins, coalesce(sum(p.amount_coins), 0)::bigint AS posted_coins,
            -- past balances are searched by version, which needs versions without a gap and times in order
            a.balance_coins IS NOT NULL AND (
                a.version <> count(p.account_version) OR a.version <> coalesce(max(p.account_version), 0)
                OR a.moved_at <> coalesce(max(p.effective_at), '-infinity')
            ) AS is_out_of_order
        FROM coin_accounts AS a
        LEFT JOIN coin_postings AS p ON p.account_id = a.id
        WHERE p_campaign_id IS NULL OR a.campaign_id = p_campaign_id
        GROUP BY a.id
    ), moved_on AS (
        -- the balance of a member is read from the last postings: after a closing, a stake may only get back what it
        -- had, and after the end of the campaign, a wallet may only get what an idea returns
        SELECT DISTINCT a.id
        FROM coin_transfers AS t
        JOIN coin_postings AS p ON p.transfer_id = t.id AND p.side = -1
        JOIN coin_accounts AS a ON a.id = p.account_id AND a.kind IN ('stake', 'wallet')
        JOIN coin_postings AS n ON n.account_id = a.id AND n.account_version > p.account_version
        JOIN coin_transfers AS x ON x.id = n.transfer_id
        WHERE t.kind IN ('expire', 'return', 'settle') AND (p_campaign_id IS NULL OR t.campaign_id = p_campaign_id)
            AND CASE a.kind WHEN 'wallet' THEN x.kind <> 'return'
                ELSE n.account_version = p.account_version + 1
                    AND (x.reverses_id IS DISTINCT FROM t.id OR n.amount_coins <> -p.amount_coins) END
    ), unbalanced AS (
        SELECT t.campaign_id, count(*) AS transfers
        FROM (
            SELECT t.campaign_id FROM coin_transfers AS t
            LEFT JOIN coin_postings AS p ON p.transfer_id = t.id
            WHERE p_campaign_id IS NULL OR t.campaign_id = p_campaign_id
            GROUP BY t.id HAVING count(p.side) <> 2 OR sum(p.amount_coins) <> 0
        ) AS t
        GROUP BY t.campaign_id
    ), aggregated AS (
        -- the postings up to where the totals were aggregated, in one pass, before they are summed by idea and by day
        SELECT t.campaign_id, t.kind, (t.effective_at AT TIME ZONE 'UTC')::date AS flowed_on, p.side, a.idea_id,
            sum(p.amount_coins) AS coins, count(*) AS postings,
            sum((p.balance_after_coins > 0)::integer - (p.balance_after_coins > p.amount_coins)::integer) AS backers
        FROM coin_transfers AS t
        JOIN coin_postings AS p ON p.transfer_id = t.id
        JOIN coin_accounts AS a ON a.id = p.account_id
        WHERE t.xid < (SELECT f.aggregated_xid FROM coin_aggregations AS f)
            AND (p_campaign_id IS NULL OR t.campaign_id = p_campaign_id)
        GROUP BY 1, 2, 3, 4, 5
    ), wrong_total AS (
        SELECT coalesce(f.campaign_id, t.campaign_id) AS campaign_id, count(*) AS totals
        FROM (
            SELECT f.campaign_id, f.idea_id, sum(f.coins) AS coins, sum(f.backers) AS backers
            FROM aggregated AS f WHERE f.idea_id IS NOT NULL GROUP BY f.campaign_id, f.idea_id
        ) AS f
        FULL JOIN (
            SELECT x.campaign_id, x.idea_id, x.coins, x.backers
            FROM coin_totals AS x WHERE p_campaign_id IS NULL OR x.campaign_id = p_campaign_id
        ) AS t ON t.idea_id = f.idea_id
        WHERE f.coins IS DISTINCT FROM t.coins OR f.backers IS DISTINCT FROM t.backers
        GROUP BY 1
    ), wrong_day AS (
        SELECT coalesce(f.campaign_id, d.campaign_id) AS campaign_id, count(*) AS totals
        FROM (
            SELECT f.campaign_id, f.flowed_on, f.kind, sum(f.coins) AS coins, sum(f.postings) AS transfers
            FROM aggregated AS f WHERE f.side = 1 GROUP BY f.campaign_id, f.flowed_on, f.kind
        ) AS f
        FULL JOIN (
            SELECT x.campaign_id, x.flowed_on, x.kind, x.coins, x.transfers
            FROM coin_flows_daily AS x WHERE p_campaign_id IS NULL OR x.campaign_id = p_campaign_id
        ) AS d ON d.campaign_id = f.campaign_id AND d.flowed_on = f.flowed_on AND d.kind = f.kind
        WHERE f.coins IS DISTINCT FROM d.coins OR f.transfers IS DISTINCT FROM d.transfers
        GROUP BY 1
    ), total AS (
        SELECT a.campaign_id,
            coalesce(-sum(a.posted_coins) FILTER (WHERE a.kind = 'mint'), 0)::bigint AS issued,
            coalesce(-sum(a.posted_coins) FILTER (WHERE a.kind = 'carried_in'), 0)::bigint AS carried_in,
            coalesce(sum(a.balance_coins) FILTER (WHERE a.kind = 'wallet'), 0)::bigint AS wallet,
            coalesce(sum(a.balance_coins) FILTER (WHERE a.kind = 'held'), 0)::bigint AS held,
            coalesce(sum(a.balance_coins) FILTER (WHERE a.kind = 'stake'), 0)::bigint AS staked,
            coalesce(sum(a.posted_coins) FILTER (WHERE a.kind = 'expired'), 0)::bigint AS expired,
            coalesce(sum(a.posted_coins) FILTER (WHERE a.kind = 'carried_out'), 0)::bigint AS carried_out,
            count(*) FILTER (WHERE a.balance_coins <> a.posted_coins OR a.is_out_of_order OR m.id IS NOT NULL) AS wrong
        FROM posted AS a
        LEFT JOIN moved_on AS m ON m.id = a.id
        GROUP BY a.campaign_id
    )
    SELECT t.campaign_id, t.issued, t.carried_in, t.wallet, t.held, t.staked, t.expired, t.carried_out,
        t.issued + t.carried_in - t.wallet - t.held - t.staked - t.expired - t.carried_out,
        t.wrong, coalesce(u.transfers, 0), coalesce(w.totals, 0) + coalesce(d.totals, 0)
    FROM total AS t
    LEFT JOIN unbalanced AS u ON u.campaign_id = t.campaign_id
    LEFT JOIN wrong_total AS w ON w.campaign_id = t.campaign_id
    LEFT JOIN wrong_day AS d ON d.campaign_id = t.campaign_id
$$;
REVOKE ALL ON FUNCTION app.coins_verify(uuid) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_verify(uuid) TO ideamint_app;
