-- Keeps app.idea_figures. Its rows are locked in the order of their ids, and computed after the lock, so each
-- computation sees what the transaction before it has committed.

-- Computes the coins and backers of ideas as lists show them, and adds the change to the present day. Granted to no
-- role.
CREATE OR REPLACE FUNCTION app.ideas_refresh_coins(p_idea_id uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM 1 FROM idea_figures AS f WHERE f.idea_id = ANY (p_idea_id) ORDER BY f.idea_id FOR NO KEY UPDATE;
    WITH found AS MATERIALIZED (
        SELECT f.idea_id, coalesce(t.settled_coins, x.coins, 0) AS coins,
            coalesce(t.settled_coins, x.coins, 0) - f.coins AS added_coins,
            coalesce(t.settled_backers, x.backers, 0) AS backers, f.backers AS old_backers
        FROM idea_figures AS f
        LEFT JOIN coin_targets AS t ON t.idea_id = f.idea_id
        LEFT JOIN coin_totals AS x ON x.idea_id = f.idea_id
        WHERE f.idea_id = ANY (p_idea_id)
    ), changed AS MATERIALIZED (
        SELECT c.idea_id, c.coins, c.added_coins, c.backers FROM found AS c
        WHERE c.added_coins <> 0 OR c.backers <> c.old_backers
    ), counted AS (
        INSERT INTO idea_coin_days AS d (idea_id, counted_on, coins)
        SELECT c.idea_id, (clock_timestamp() AT TIME ZONE 'UTC')::date, c.added_coins FROM changed AS c
        WHERE c.added_coins <> 0
        ON CONFLICT (idea_id, counted_on) DO UPDATE SET coins = d.coins + excluded.coins
    )
    UPDATE idea_figures AS f
    SET coins = c.coins, backers = c.backers, trend_coins = f.trend_coins + c.added_coins
    FROM changed AS c WHERE c.idea_id = f.idea_id;
END $$;
REVOKE ALL ON FUNCTION app.ideas_refresh_coins(uuid[]) FROM PUBLIC;

-- Counts the comments of ideas and finds their first open milestones. Granted to no role.
CREATE OR REPLACE FUNCTION app.ideas_refresh_activity(p_idea_id uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM 1 FROM idea_figures AS f WHERE f.idea_id = ANY (p_idea_id) ORDER BY f.idea_id FOR NO KEY UPDATE;
    UPDATE idea_figures AS f
    SET comments = (
            SELECT count(*) FROM comments AS c
            WHERE c.idea_id = f.idea_id AND c.kind = 'comment' AND c.deleted_at IS NULL AND c.hidden_at IS NULL
        ),
        next_due_on = (
            SELECT coalesce(min(m.due_on), 'infinity') FROM idea_milestones AS m
            WHERE m.idea_id = f.idea_id AND m.done_on IS NULL
        )
    WHERE f.idea_id = ANY (p_idea_id);
END $$;
REVOKE ALL ON FUNCTION app.ideas_refresh_activity(uuid[]) FROM PUBLIC;

-- Removes days that are a week old from the trend, at most `p_rows_max` of them; returns how many.
CREATE OR REPLACE FUNCTION app.ideas_end_coin_days(p_rows_max integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_idea_id uuid[];
    v_ended_on date := (clock_timestamp() AT TIME ZONE 'UTC')::date - 7;
    v_days integer;
BEGIN
    SELECT array_agg(DISTINCT d.idea_id) INTO v_idea_id FROM (
        SELECT o.idea_id FROM idea_coin_days AS o WHERE o.counted_on <= v_ended_on
        ORDER BY o.counted_on, o.idea_id LIMIT p_rows_max
    ) AS d;
    PERFORM 1 FROM idea_figures AS f WHERE f.idea_id = ANY (v_idea_id) ORDER BY f.idea_id FOR NO KEY UPDATE;
    WITH ended AS (
        DELETE FROM idea_coin_days AS d WHERE d.idea_id = ANY (v_idea_id) AND d.counted_on <= v_ended_on
        RETURNING d.idea_id, d.coins
    ), summed AS MATERIALIZED (
        SELECT e.idea_id, sum(e.coins)::bigint AS coins, count(*) AS days FROM ended AS e GROUP BY e.idea_id
    ), changed AS (
        UPDATE idea_figures AS f SET trend_coins = f.trend_coins - s.coins FROM summed AS s WHERE s.idea_id = f.idea_id
    )
    SELECT coalesce(sum(s.days), 0) INTO v_days FROM summed AS s;
    RETURN v_days;
END $$;
REVOKE ALL ON FUNCTION app.ideas_end_coin_days(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.ideas_end_coin_days(integer) TO ideamint_app;

CREATE OR REPLACE FUNCTION app.ideas_note_new() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    INSERT INTO idea_figures (idea_id, campaign_id) SELECT n.id, n.campaign_id FROM new_rows AS n;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.ideas_note_new() FROM PUBLIC;

CREATE OR REPLACE FUNCTION app.ideas_note_totals() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM ideas_refresh_coins(array_agg(n.idea_id)) FROM new_rows AS n HAVING count(*) > 0;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.ideas_note_totals() FROM PUBLIC;

CREATE OR REPLACE FUNCTION app.ideas_note_targets() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM ideas_refresh_coins(array_agg(n.idea_id))
    FROM new_rows AS n JOIN old_rows AS o ON o.idea_id = n.idea_id
    WHERE n.settled_coins IS DISTINCT FROM o.settled_coins
    HAVING count(*) > 0;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.ideas_note_targets() FROM PUBLIC;

-- For triggers of comments and milestones, whose new or deleted rows are `changed_rows`.
CREATE OR REPLACE FUNCTION app.ideas_note_activity() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM ideas_refresh_activity(array_agg(DISTINCT c.idea_id)) FROM changed_rows AS c HAVING count(*) > 0;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.ideas_note_activity() FROM PUBLIC;
