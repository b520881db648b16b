-- Adds the postings since the last run to the totals of ideas and of days. It stops below the oldest open transaction,
-- because rows that are committed late would be missed if it followed the ids alone. Returns the number of changed
-- ideas, null if another process is aggregating.
CREATE OR REPLACE FUNCTION app.coins_aggregate_totals() RETURNS integer
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
    SELECT aggregated_xid INTO v_from FROM coin_aggregations FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    v_now := clock_timestamp();
    SELECT pg_snapshot_xmin(s.taken), pg_snapshot_xmax(s.taken) INTO v_to, v_next
    FROM pg_current_snapshot() AS s (taken);
    WITH posted AS MATERIALIZED (
        SELECT t.campaign_id, t.kind, (t.effective_at AT TIME ZONE 'UTC')::date AS flowed_on, p.side, p.amount_coins,
            p.balance_after_coins, a.idea_id
        FROM coin_transfers AS t
        JOIN coin_postings AS p ON p.transfer_id = t.id
        JOIN coin_accounts AS a ON a.id = p.account_id
        WHERE t.xid >= v_from AND t.xid < v_to
    ), daily AS (
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
            sum(
                (p.balance_after_coins > 0)::integer - (p.balance_after_coins > p.amount_coins)::integer
            )::integer AS backers
        FROM posted AS p
        WHERE p.idea_id IS NOT NULL
        GROUP BY p.idea_id, p.campaign_id
    ) AS c;
    -- a row is inserted with zeros first: a change may be negative, a total may not
    INSERT INTO coin_totals (idea_id, campaign_id, coins, backers)
    SELECT c.idea_id, c.campaign_id, 0, 0 FROM unnest(v_idea_id, v_campaign_id) AS c (idea_id, campaign_id)
    ON CONFLICT (idea_id) DO NOTHING;
    UPDATE coin_totals AS t SET coins = t.coins + c.coins, backers = t.backers + c.backers
    FROM unnest(v_idea_id, v_coins, v_backers) AS c (idea_id, coins, backers)
    WHERE t.idea_id = c.idea_id;
    UPDATE coin_aggregations
    SET aggregated_xid = v_to,
        aggregated_at = CASE WHEN v_to >= v_next THEN v_now
            WHEN v_to >= marked_xid THEN greatest(aggregated_at, marked_at)
            ELSE aggregated_at END,
        marked_xid = CASE WHEN v_to >= marked_xid THEN v_next ELSE marked_xid END,
        marked_at = CASE WHEN v_to >= marked_xid THEN v_now ELSE marked_at END;
    RETURN coalesce(cardinality(v_idea_id), 0);
END $$;
REVOKE ALL ON FUNCTION app.coins_aggregate_totals() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.coins_aggregate_totals() TO ideamint_app;
