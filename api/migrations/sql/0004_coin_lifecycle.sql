-- What happens to a campaign's ledger as a whole. Each is called in the session of the command that causes it.

CREATE FUNCTION app.coins_open_ledger(p_campaign_id uuid, p_policy jsonb, p_actor_id uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    -- what the policy leaves out is as the columns' defaults have it
    INSERT INTO coin_policies
    SELECT (jsonb_populate_record(NULL::coin_policies, jsonb_build_object(
        'coins_per_member', 100, 'coins_per_allocation_min', 1, 'own_ideas', false, 'take_back', true,
        'undo_window_h', 168, 'at_end', 'expire') || p_policy || jsonb_build_object(
        'campaign_id', p_campaign_id, 'version', 1, 'created_at', clock_timestamp(), 'created_by', p_actor_id))).*;
    WITH account AS (
        INSERT INTO coin_accounts (campaign_id, kind)
        SELECT p_campaign_id, k.kind FROM unnest(ARRAY['mint', 'carried_in', 'expired', 'carried_out']) AS k (kind)
        RETURNING id, kind
    )
    INSERT INTO coin_ledgers (campaign_id, policy_version, mint_id, carried_in_id, expired_id, carried_out_id)
    SELECT p_campaign_id, 1,
        max(id) FILTER (WHERE kind = 'mint'), max(id) FILTER (WHERE kind = 'carried_in'),
        max(id) FILTER (WHERE kind = 'expired'), max(id) FILTER (WHERE kind = 'carried_out')
    FROM account;
END $$;

-- A new version of the policy. Frozen: coins_per_member once a grant exists, the rest once a stake exists; until then
-- everything may change. The window may be extended at any time. Returns the version, or the names of frozen fields.
CREATE FUNCTION app.coins_set_policy(p_campaign_id uuid, p_policy jsonb, p_actor_id uuid)
RETURNS TABLE (version integer, frozen text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_ledger coin_ledgers;
    v_old coin_policies;
    v_new coin_policies;
    v_frozen text[] := '{}';
BEGIN
    SELECT * INTO STRICT v_ledger FROM coin_ledgers AS l WHERE l.campaign_id = p_campaign_id FOR UPDATE;
    SELECT * INTO STRICT v_old FROM coin_policies AS p
    WHERE p.campaign_id = p_campaign_id AND p.version = v_ledger.policy_version;
    v_new := jsonb_populate_record(v_old, p_policy || jsonb_build_object(
        'campaign_id', p_campaign_id, 'version', v_old.version + 1,
        'created_at', clock_timestamp(), 'created_by', p_actor_id));
    IF EXISTS (SELECT FROM coin_accounts AS a WHERE a.campaign_id = p_campaign_id AND a.kind = 'wallet')
        AND v_new.coins_per_member <> v_old.coins_per_member THEN
        v_frozen := v_frozen || 'coins_per_member'::text;
    END IF;
    IF EXISTS (
        SELECT FROM coin_targets AS t JOIN coin_accounts AS a ON a.idea_id = t.idea_id AND a.kind = 'stake'
        WHERE t.campaign_id = p_campaign_id
    ) THEN
        v_frozen := v_frozen
            || CASE WHEN v_new.coins_per_allocation_min <> v_old.coins_per_allocation_min
                THEN ARRAY['coins_per_allocation_min'] ELSE '{}' END
            || CASE WHEN v_new.coins_per_member_and_idea_max IS DISTINCT FROM v_old.coins_per_member_and_idea_max
                THEN ARRAY['coins_per_member_and_idea_max'] ELSE '{}' END
            || CASE WHEN v_new.own_ideas <> v_old.own_ideas THEN ARRAY['own_ideas'] ELSE '{}' END
            || CASE WHEN v_new.take_back <> v_old.take_back THEN ARRAY['take_back'] ELSE '{}' END
            || CASE WHEN v_new.undo_window_h <> v_old.undo_window_h THEN ARRAY['undo_window_h'] ELSE '{}' END
            || CASE WHEN v_new.at_end <> v_old.at_end THEN ARRAY['at_end'] ELSE '{}' END
            || CASE WHEN v_new.allocation_opens_at IS DISTINCT FROM v_old.allocation_opens_at
                THEN ARRAY['allocation_opens_at'] ELSE '{}' END
            || CASE WHEN coalesce(v_new.allocate_until, 'infinity') < coalesce(v_old.allocate_until, 'infinity')
                THEN ARRAY['allocate_until'] ELSE '{}' END;
    END IF;
    IF v_frozen <> '{}' THEN
        RETURN QUERY SELECT v_old.version, v_frozen;
        RETURN;
    END IF;
    INSERT INTO coin_policies SELECT v_new.*;
    UPDATE coin_ledgers AS l SET policy_version = v_new.version WHERE l.campaign_id = p_campaign_id;
    RETURN QUERY SELECT v_new.version, v_frozen;
END $$;

-- A wallet with the policy's coins for each of these members that has none yet; thaws the wallets of those who have.
-- Returns who was granted coins now.
CREATE FUNCTION app.coins_grant(
    p_campaign_id uuid, p_user_id uuid[], p_actor_id uuid, p_effective_at timestamptz DEFAULT NULL
) RETURNS uuid[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_ledger coin_ledgers;
    v_coins bigint;
    v_id bigint[];
    v_user_id uuid[];
BEGIN
    SELECT * INTO STRICT v_ledger FROM coin_ledgers WHERE campaign_id = p_campaign_id FOR SHARE;
    IF v_ledger.closed_at IS NOT NULL THEN
        RAISE EXCEPTION 'the ledger of campaign % is closed', p_campaign_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    SELECT coins_per_member INTO STRICT v_coins FROM coin_policies
    WHERE campaign_id = p_campaign_id AND version = v_ledger.policy_version;
    UPDATE coin_accounts SET frozen_at = NULL
    WHERE campaign_id = p_campaign_id AND user_id = ANY (p_user_id) AND kind = 'wallet' AND frozen_at IS NOT NULL;
    WITH opened AS (
        INSERT INTO coin_accounts (campaign_id, kind, user_id, balance_coins)
        SELECT p_campaign_id, 'wallet', u.user_id, 0
        FROM (SELECT DISTINCT d.user_id FROM unnest(p_user_id) AS d (user_id)) AS u
        ORDER BY u.user_id
        ON CONFLICT (campaign_id, user_id) WHERE kind = 'wallet' DO NOTHING
        RETURNING id, user_id
    )
    SELECT coalesce(array_agg(id ORDER BY id), '{}'), coalesce(array_agg(user_id ORDER BY id), '{}')
    INTO v_id, v_user_id FROM opened;
    PERFORM coins_post(p_campaign_id, 'grant', array_fill(v_ledger.mint_id, ARRAY[cardinality(v_id)]), v_id,
        array_fill(v_coins, ARRAY[cardinality(v_id)]), p_actor_id, NULL, p_effective_at);
    RETURN v_user_id;
END $$;

CREATE FUNCTION app.coins_freeze_wallet(p_campaign_id uuid, p_user_id uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = app, pg_temp AS $$
    UPDATE coin_accounts SET frozen_at = clock_timestamp()
    WHERE campaign_id = p_campaign_id AND user_id = p_user_id AND kind = 'wallet' AND frozen_at IS NULL
$$;

CREATE FUNCTION app.coins_open_targets(p_campaign_id uuid, p_idea_id uuid[], p_author_id uuid[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
BEGIN
    PERFORM 1 FROM coin_ledgers WHERE campaign_id = p_campaign_id AND closed_at IS NULL FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the ledger of campaign % is not open', p_campaign_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    INSERT INTO coin_targets (idea_id, campaign_id, author_id)
    SELECT t.idea_id, p_campaign_id, t.author_id FROM unnest(p_idea_id, p_author_id) AS t (idea_id, author_id);
END $$;

-- Empties accounts into where their settlement's kind says. Not granted to anybody.
CREATE FUNCTION app.coins_settle_accounts(
    p_campaign_id uuid, p_kind text, p_account_id bigint[], p_coins bigint[], p_actor_id uuid, p_reason text,
    p_effective_at timestamptz
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_credit_id bigint[];
BEGIN
    SELECT array_agg(CASE p_kind WHEN 'return' THEN w.id ELSE l.expired_id END ORDER BY u.n) INTO v_credit_id
    FROM unnest(p_account_id) WITH ORDINALITY AS u (id, n)
    JOIN coin_accounts AS a ON a.id = u.id
    JOIN coin_ledgers AS l ON l.campaign_id = p_campaign_id
    JOIN coin_accounts AS w ON w.campaign_id = p_campaign_id AND w.user_id = a.user_id AND w.kind = 'wallet';
    RETURN coins_post(p_campaign_id, p_kind, p_account_id, v_credit_id, p_coins, p_actor_id, p_reason, p_effective_at);
END $$;

-- Closes ideas for coins: the stakes expire ('expire', 'settle') or go back to their wallets ('return'). Waits for
-- movements under way on these ideas, and lets none start. Expiry on acceptance touches stakes alone and is done here;
-- the rest is left to a settlement where there are more stakes than `p_inline_max`. Returns a row an idea.
CREATE FUNCTION app.coins_close_targets(
    p_campaign_id uuid, p_idea_id uuid[], p_kind text, p_actor_id uuid, p_reason text DEFAULT NULL,
    p_effective_at timestamptz DEFAULT NULL, p_inline_max integer DEFAULT NULL
) RETURNS TABLE (idea_id uuid, settled_coins bigint, settled_backers integer, is_settling boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_id uuid;
    v_closed uuid[];
    v_stakes bigint;
    v_stake_id bigint[];
    v_coins bigint[];
BEGIN
    IF p_kind NOT IN ('expire', 'return', 'settle') THEN
        RAISE EXCEPTION 'stakes of a closed idea expire, return or settle, not %', p_kind;
    END IF;
    FOR v_id IN SELECT u.id FROM unnest(p_idea_id) AS u (id) ORDER BY u.id LOOP
        PERFORM pg_advisory_xact_lock(uuid_hash_extended(v_id, 0));
    END LOOP;
    WITH closed AS (
        UPDATE coin_targets AS t
        SET is_open = false, closed_at = clock_timestamp(), settled_coins = s.coins, settled_backers = s.backers
        FROM (
            SELECT u.id, coalesce(sum(a.balance_coins), 0)::bigint AS coins,
                count(*) FILTER (WHERE a.balance_coins > 0)::integer AS backers
            FROM unnest(p_idea_id) AS u (id)
            LEFT JOIN coin_accounts AS a ON a.idea_id = u.id AND a.kind = 'stake'
            GROUP BY u.id
        ) AS s
        WHERE t.idea_id = s.id AND t.campaign_id = p_campaign_id AND t.is_open
        RETURNING t.idea_id, t.settled_backers
    )
    SELECT coalesce(array_agg(c.idea_id ORDER BY c.idea_id), '{}'), coalesce(sum(c.settled_backers), 0)
    INTO v_closed, v_stakes FROM closed AS c;

    IF p_kind <> 'expire' AND v_stakes > p_inline_max THEN
        INSERT INTO coin_settlements (campaign_id, kind, idea_ids, has_wallets, actor_id, reason, effective_at)
        VALUES (p_campaign_id, p_kind, v_closed, false, p_actor_id, p_reason, p_effective_at);
    ELSE
        SELECT array_agg(a.id), array_agg(a.balance_coins) INTO v_stake_id, v_coins
        FROM coin_accounts AS a WHERE a.idea_id = ANY (v_closed) AND a.kind = 'stake' AND a.balance_coins > 0;
        PERFORM coins_settle_accounts(p_campaign_id, p_kind, v_stake_id, v_coins, p_actor_id, p_reason, p_effective_at);
        UPDATE coin_targets AS t SET settled_at = clock_timestamp() WHERE t.idea_id = ANY (v_closed);
    END IF;
    RETURN QUERY SELECT t.idea_id, t.settled_coins, t.settled_backers, t.settled_at IS NULL
    FROM coin_targets AS t WHERE t.idea_id = ANY (v_closed);
END $$;

-- Opens an accepted idea again: what expired is put back by transfers that name what they reverse.
CREATE FUNCTION app.coins_reopen_target(p_campaign_id uuid, p_idea_id uuid, p_actor_id uuid, p_reason text)
RETURNS TABLE (coins bigint, backers integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_expired_id bigint;
    v_stake_id bigint[];
    v_coins bigint[];
    v_reverses_id uuid[];
BEGIN
    PERFORM pg_advisory_xact_lock(uuid_hash_extended(p_idea_id, 0));
    SELECT l.expired_id INTO STRICT v_expired_id FROM coin_ledgers AS l
    WHERE l.campaign_id = p_campaign_id AND l.closed_at IS NULL FOR SHARE;
    -- an idea may have been accepted and undone before: the expiry that closed it last is each stake's last posting
    SELECT coalesce(array_agg(a.id), '{}'), coalesce(array_agg(-p.amount_coins), '{}'), coalesce(array_agg(t.id), '{}')
    INTO v_stake_id, v_coins, v_reverses_id
    FROM coin_accounts AS a
    JOIN coin_postings AS p ON p.account_id = a.id AND p.account_version = a.version AND p.side = -1
    JOIN coin_transfers AS t ON t.id = p.transfer_id AND t.kind = 'expire'
    WHERE a.idea_id = p_idea_id AND a.kind = 'stake' AND a.campaign_id = p_campaign_id;
    PERFORM coins_post(p_campaign_id, 'reverse', array_fill(v_expired_id, ARRAY[cardinality(v_stake_id)]), v_stake_id,
        v_coins, p_actor_id, p_reason, NULL, v_reverses_id);
    UPDATE coin_targets AS t
    SET is_open = true, closed_at = NULL, settled_coins = NULL, settled_backers = NULL, settled_at = NULL
    WHERE t.idea_id = p_idea_id AND t.campaign_id = p_campaign_id AND NOT t.is_open;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'idea % is not closed', p_idea_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN QUERY SELECT coalesce(sum(c), 0)::bigint, count(*)::integer FROM unnest(v_coins) AS c;
END $$;

-- The campaign's end under at_end = expire: every open idea is closed, every wallet emptied, no grant comes after. With
-- more coins' places than `p_inline_max` the ledger is closed here and emptied by a settlement. Returns the coins that
-- were left in wallets, and whether a settlement is under way.
CREATE FUNCTION app.coins_close_ledger(
    p_campaign_id uuid, p_actor_id uuid, p_effective_at timestamptz DEFAULT NULL, p_inline_max integer DEFAULT NULL
) RETURNS TABLE (wallet_coins bigint, is_settling boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_id uuid;
    v_settlement_id uuid;
BEGIN
    PERFORM 1 FROM coin_ledgers AS l WHERE l.campaign_id = p_campaign_id AND l.closed_at IS NULL FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'the ledger of campaign % is not open', p_campaign_id USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    FOR v_id IN SELECT t.idea_id FROM coin_targets AS t WHERE t.campaign_id = p_campaign_id AND t.is_open ORDER BY t.idea_id LOOP
        PERFORM pg_advisory_xact_lock(uuid_hash_extended(v_id, 0));
    END LOOP;
    WITH closed AS (
        UPDATE coin_targets AS t
        SET is_open = false, closed_at = clock_timestamp(), settled_coins = s.coins, settled_backers = s.backers
        FROM (
            SELECT u.idea_id, coalesce(sum(a.balance_coins), 0)::bigint AS coins,
                count(*) FILTER (WHERE a.balance_coins > 0)::integer AS backers
            FROM coin_targets AS u
            LEFT JOIN coin_accounts AS a ON a.idea_id = u.idea_id AND a.kind = 'stake'
            WHERE u.campaign_id = p_campaign_id
            GROUP BY u.idea_id
        ) AS s
        WHERE t.idea_id = s.idea_id AND t.is_open
        RETURNING t.idea_id
    )
    INSERT INTO coin_settlements (campaign_id, kind, idea_ids, has_wallets, actor_id, effective_at)
    SELECT p_campaign_id, 'settle', coalesce(array_agg(c.idea_id ORDER BY c.idea_id), '{}'), true, p_actor_id, p_effective_at
    FROM closed AS c
    RETURNING id INTO v_settlement_id;
    UPDATE coin_ledgers AS l SET closed_at = clock_timestamp() WHERE l.campaign_id = p_campaign_id;
    SELECT coalesce(sum(a.balance_coins), 0), count(*) > p_inline_max INTO wallet_coins, is_settling
    FROM coin_accounts AS a WHERE a.campaign_id = p_campaign_id AND a.kind IN ('wallet', 'held') AND a.balance_coins > 0;
    is_settling := coalesce(is_settling, false) OR coalesce((
        SELECT sum(t.settled_backers) > p_inline_max FROM coin_targets AS t
        WHERE t.campaign_id = p_campaign_id AND t.settled_at IS NULL), false);
    IF NOT is_settling THEN
        WHILE NOT coins_settle_next(v_settlement_id, NULL) LOOP
        END LOOP;
    END IF;
    RETURN NEXT;
END $$;

-- Conservation from the postings alone, and whether the kept balances agree with them. A row a campaign.
CREATE FUNCTION app.coins_verify(p_campaign_id uuid DEFAULT NULL) RETURNS TABLE (
    campaign_id uuid, issued_coins bigint, carried_in_coins bigint, wallet_coins bigint, held_coins bigint,
    staked_coins bigint, expired_coins bigint, carried_out_coins bigint, difference_coins bigint,
    wrong_balances bigint, unbalanced_transfers bigint, wrong_totals bigint
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = app, pg_temp AS $$
    WITH account AS (
        SELECT a.campaign_id, a.kind, a.balance_coins, coalesce(sum(p.amount_coins), 0)::bigint AS posted_coins
        FROM coin_accounts AS a
        LEFT JOIN coin_postings AS p ON p.account_id = a.id
        WHERE p_campaign_id IS NULL OR a.campaign_id = p_campaign_id
        GROUP BY a.id
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
        -- what the postings give up to where the totals were folded
        SELECT a.campaign_id, a.idea_id, sum(p.amount_coins) AS coins
        FROM coin_accounts AS a
        JOIN coin_postings AS p ON p.account_id = a.id
        JOIN coin_transfers AS t ON t.id = p.transfer_id AND t.xid < (SELECT f.folded_xid FROM coin_folds AS f)
        WHERE a.kind = 'stake' AND (p_campaign_id IS NULL OR a.campaign_id = p_campaign_id)
        GROUP BY a.campaign_id, a.idea_id
    ), wrong_total AS (
        SELECT coalesce(f.campaign_id, t.campaign_id) AS campaign_id, count(*) AS totals
        FROM folded AS f
        FULL JOIN (
            SELECT * FROM coin_totals AS x WHERE p_campaign_id IS NULL OR x.campaign_id = p_campaign_id
        ) AS t ON t.idea_id = f.idea_id
        WHERE f.coins IS DISTINCT FROM t.coins
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
            count(*) FILTER (WHERE a.balance_coins <> a.posted_coins) AS wrong
        FROM account AS a
        GROUP BY a.campaign_id
    )
    SELECT t.campaign_id, t.issued, t.carried_in, t.wallet, t.held, t.staked, t.expired, t.carried_out,
        t.issued + t.carried_in - t.wallet - t.held - t.staked - t.expired - t.carried_out,
        t.wrong, coalesce(u.transfers, 0), coalesce(w.totals, 0)
    FROM total AS t
    LEFT JOIN unbalanced AS u ON u.campaign_id = t.campaign_id
    LEFT JOIN wrong_total AS w ON w.campaign_id = t.campaign_id
$$;

GRANT EXECUTE ON FUNCTION app.coins_open_ledger(uuid, jsonb, uuid), app.coins_set_policy(uuid, jsonb, uuid),
    app.coins_grant(uuid, uuid[], uuid, timestamptz), app.coins_freeze_wallet(uuid, uuid),
    app.coins_open_targets(uuid, uuid[], uuid[]),
    app.coins_close_targets(uuid, uuid[], text, uuid, text, timestamptz, integer),
    app.coins_reopen_target(uuid, uuid, uuid, text),
    app.coins_close_ledger(uuid, uuid, timestamptz, integer), app.coins_verify(uuid) TO ideamint_app;
