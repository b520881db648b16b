-- What flowed on a day, folded with the totals of ideas and from the same transfers.
CREATE TABLE app.coin_flows_daily (
    campaign_id uuid NOT NULL,
    -- the day, in UTC, of the transfers' effective_at
    flowed_on date NOT NULL,
    kind text NOT NULL,
    coins bigint NOT NULL CONSTRAINT ck_coin_flows_daily_coins CHECK (coins >= 0),
    transfers bigint NOT NULL CONSTRAINT ck_coin_flows_daily_transfers CHECK (transfers >= 0),
    CONSTRAINT pk_coin_flows_daily PRIMARY KEY (campaign_id, flowed_on, kind)
) WITH (fillfactor = 50);
GRANT SELECT ON app.coin_flows_daily TO ideamint_app;

-- Up to `folded_xid` all is folded. What had committed by `marked_at` lies below `marked_xid`, so once the fold has come
-- that far, its totals are as of then: while an old transaction keeps it back, it does not say that it is newer.
ALTER TABLE app.coin_folds
    ADD COLUMN marked_xid xid8 NOT NULL DEFAULT '0',
    ADD COLUMN marked_at timestamptz NOT NULL DEFAULT '-infinity';

-- Adds to the totals and to the days what was posted since the last time, as far as no transaction is under way that
-- began before it: in the order of ids alone, rows that commit late would be missed. Returns how many ideas changed, null
-- if somebody else is at it.
CREATE OR REPLACE FUNCTION app.coins_fold() RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_from xid8;
    v_to xid8;
    v_next xid8;
    v_now timestamptz;
    v_idea_id uuid[];
    v_campaign_id uuid[];
    v_coins bigint[];
    v_backers integer[];
BEGIN
    SELECT folded_xid INTO v_from FROM coin_folds FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    v_now := clock_timestamp();
    SELECT pg_snapshot_xmin(s.taken), pg_snapshot_xmax(s.taken) INTO v_to, v_next FROM pg_current_snapshot() AS s (taken);
    WITH posted AS MATERIALIZED (
        SELECT t.campaign_id, t.kind, (t.effective_at AT TIME ZONE 'UTC')::date AS flowed_on, p.side, p.amount_coins,
            p.balance_after_coins, a.idea_id
        FROM coin_transfers AS t
        JOIN coin_postings AS p ON p.transfer_id = t.id
        JOIN coin_accounts AS a ON a.id = p.account_id
        WHERE t.xid >= v_from AND t.xid < v_to
    ), flowed AS (
        INSERT INTO coin_flows_daily AS d (campaign_id, flowed_on, kind, coins, transfers)
        SELECT p.campaign_id, p.flowed_on, p.kind, sum(p.amount_coins), count(*)
        FROM posted AS p
        WHERE p.side = 1
        GROUP BY p.campaign_id, p.flowed_on, p.kind
        ON CONFLICT (campaign_id, flowed_on, kind) DO UPDATE
        SET coins = d.coins + excluded.coins, transfers = d.transfers + excluded.transfers
    )
    SELECT array_agg(c.idea_id ORDER BY c.idea_id), array_agg(c.campaign_id ORDER BY c.idea_id),
        array_agg(c.coins ORDER BY c.idea_id), array_agg(c.backers ORDER BY c.idea_id)
    INTO v_idea_id, v_campaign_id, v_coins, v_backers
    FROM (
        SELECT p.idea_id, p.campaign_id, sum(p.amount_coins)::bigint AS coins,
            sum((p.balance_after_coins > 0)::integer - (p.balance_after_coins > p.amount_coins)::integer)::integer AS backers
        FROM posted AS p
        WHERE p.idea_id IS NOT NULL
        GROUP BY p.idea_id, p.campaign_id
    ) AS c;
    -- a row is made with zeros first: what is added may be less than zero, which no total is
    INSERT INTO coin_totals (idea_id, campaign_id, coins, backers)
    SELECT c.idea_id, c.campaign_id, 0, 0 FROM unnest(v_idea_id, v_campaign_id) AS c (idea_id, campaign_id)
    ON CONFLICT (idea_id) DO NOTHING;
    UPDATE coin_totals AS t SET coins = t.coins + c.coins, backers = t.backers + c.backers
    FROM unnest(v_idea_id, v_coins, v_backers) AS c (idea_id, coins, backers)
    WHERE t.idea_id = c.idea_id;
    UPDATE coin_folds
    SET folded_xid = v_to,
        folded_at = CASE WHEN v_to >= v_next THEN v_now WHEN v_to >= marked_xid THEN greatest(folded_at, marked_at)
            ELSE folded_at END,
        marked_xid = CASE WHEN v_to >= marked_xid THEN v_next ELSE marked_xid END,
        marked_at = CASE WHEN v_to >= marked_xid THEN v_now ELSE marked_at END;
    RETURN coalesce(cardinality(v_idea_id), 0);
END $$;

-- The days before: up to where the totals were folded. The lock waits for a fold that is under way and keeps off the next.
SELECT FROM app.coin_folds FOR UPDATE;
INSERT INTO app.coin_flows_daily (campaign_id, flowed_on, kind, coins, transfers)
SELECT t.campaign_id, (t.effective_at AT TIME ZONE 'UTC')::date, t.kind, sum(p.amount_coins), count(*)
FROM app.coin_transfers AS t
JOIN app.coin_postings AS p ON p.transfer_id = t.id AND p.side = 1
WHERE t.xid < (SELECT f.folded_xid FROM app.coin_folds AS f)
GROUP BY 1, 2, 3;

-- Conservation from the postings alone, and whether what is kept beside them agrees with them: balances, versions and
-- times of accounts, folded totals. A row a campaign.
CREATE OR REPLACE FUNCTION app.coins_verify(p_campaign_id uuid DEFAULT NULL) RETURNS TABLE (
    campaign_id uuid, issued_coins bigint, carried_in_coins bigint, wallet_coins bigint, held_coins bigint,
    staked_coins bigint, expired_coins bigint, carried_out_coins bigint, difference_coins bigint,
    wrong_balances bigint, unbalanced_transfers bigint, wrong_totals bigint
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    WITH posted AS (
        SELECT a.campaign_id, a.id, a.kind, a.balance_coins, coalesce(sum(p.amount_coins), 0)::bigint AS posted_coins,
            -- a past balance is searched by version: without a gap, and never back in time
            a.balance_coins IS NOT NULL AND (
                a.version <> count(p.account_version) OR a.version <> coalesce(max(p.account_version), 0)
                OR a.moved_at <> coalesce(max(p.effective_at), '-infinity')
            ) AS is_out_of_order
        FROM coin_accounts AS a
        LEFT JOIN coin_postings AS p ON p.account_id = a.id
        WHERE p_campaign_id IS NULL OR a.campaign_id = p_campaign_id
        GROUP BY a.id
    ), moved_on AS (
        -- what a member's balance reads from an account's end: after a closing, a stake only gets back what it had, and
        -- after the campaign's end, a wallet only gets what an idea returns
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
    ), folded AS (
        -- what the postings give up to where the totals were folded, in one pass and before it is summed by idea and by day
        SELECT t.campaign_id, t.kind, (t.effective_at AT TIME ZONE 'UTC')::date AS flowed_on, p.side, a.idea_id,
            sum(p.amount_coins) AS coins, count(*) AS postings,
            sum((p.balance_after_coins > 0)::integer - (p.balance_after_coins > p.amount_coins)::integer) AS backers
        FROM coin_transfers AS t
        JOIN coin_postings AS p ON p.transfer_id = t.id
        JOIN coin_accounts AS a ON a.id = p.account_id
        WHERE t.xid < (SELECT f.folded_xid FROM coin_folds AS f)
            AND (p_campaign_id IS NULL OR t.campaign_id = p_campaign_id)
        GROUP BY 1, 2, 3, 4, 5
    ), wrong_total AS (
        SELECT coalesce(f.campaign_id, t.campaign_id) AS campaign_id, count(*) AS totals
        FROM (
            SELECT f.campaign_id, f.idea_id, sum(f.coins) AS coins, sum(f.backers) AS backers
            FROM folded AS f WHERE f.idea_id IS NOT NULL GROUP BY f.campaign_id, f.idea_id
        ) AS f
        FULL JOIN (
            SELECT * FROM coin_totals AS x WHERE p_campaign_id IS NULL OR x.campaign_id = p_campaign_id
        ) AS t ON t.idea_id = f.idea_id
        WHERE f.coins IS DISTINCT FROM t.coins OR f.backers IS DISTINCT FROM t.backers
        GROUP BY 1
    ), wrong_day AS (
        SELECT coalesce(f.campaign_id, d.campaign_id) AS campaign_id, count(*) AS totals
        FROM (
            SELECT f.campaign_id, f.flowed_on, f.kind, sum(f.coins) AS coins, sum(f.postings) AS transfers
            FROM folded AS f WHERE f.side = 1 GROUP BY f.campaign_id, f.flowed_on, f.kind
        ) AS f
        FULL JOIN (
            SELECT * FROM coin_flows_daily AS x WHERE p_campaign_id IS NULL OR x.campaign_id = p_campaign_id
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
