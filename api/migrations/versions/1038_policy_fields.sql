-- Fields of the coin policy: a limit as a percentage, late grants, times of taking back and of withdrawal, a pause
-- between movements, and the rules of acceptance. The defaults are the rules of the campaigns that exist.
ALTER TABLE app.coin_policies
    ADD COLUMN coins_per_member_and_idea_max_percent integer
        CONSTRAINT ck_coin_policies_idea_max_percent CHECK (coins_per_member_and_idea_max_percent BETWEEN 1 AND 100),
    ADD COLUMN late_grant text NOT NULL DEFAULT 'full'
        CONSTRAINT ck_coin_policies_late_grant CHECK (late_grant IN ('full', 'pro_rata', 'none')),
    ADD COLUMN take_back_until timestamptz,
    ADD COLUMN move_cooldown_s integer NOT NULL DEFAULT 0
        CONSTRAINT ck_coin_policies_move_cooldown_s CHECK (move_cooldown_s BETWEEN 0 AND 2592000),
    ADD COLUMN decision_mode text NOT NULL DEFAULT 'rolling'
        CONSTRAINT ck_coin_policies_decision_mode CHECK (decision_mode IN ('rolling', 'at_close')),
    ADD COLUMN accept_threshold_coins bigint
        CONSTRAINT ck_coin_policies_accept_threshold_coins
        CHECK (accept_threshold_coins BETWEEN 1 AND 1000000000000),
    ADD COLUMN backers_min integer NOT NULL DEFAULT 0
        CONSTRAINT ck_coin_policies_backers_min CHECK (backers_min BETWEEN 0 AND 1000000),
    ADD COLUMN returned_coins text NOT NULL DEFAULT 'reuse'
        CONSTRAINT ck_coin_policies_returned_coins CHECK (returned_coins IN ('reuse', 'expire')),
    ADD COLUMN author_withdraw_until timestamptz,
    ADD CONSTRAINT ck_coin_policies_one_idea_max
        CHECK (num_nonnulls(coins_per_member_and_idea_max, coins_per_member_and_idea_max_percent) <= 1),
    ADD CONSTRAINT ck_coin_policies_percent_affordable
        CHECK (coins_per_member::bigint * coins_per_member_and_idea_max_percent / 100 >= coins_per_allocation_min),
    ADD CONSTRAINT ck_coin_policies_late_grant_has_dates
        CHECK (
            late_grant = 'full'
            OR (allocation_opens_at IS NOT NULL AND (late_grant = 'none' OR allocate_until IS NOT NULL))
        ),
    ADD CONSTRAINT ck_coin_policies_take_back_until CHECK (take_back OR take_back_until IS NULL);
