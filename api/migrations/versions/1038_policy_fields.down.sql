DO $$ BEGIN
    IF EXISTS (
        SELECT FROM app.coin_policies
        WHERE coins_per_member_and_idea_max_percent IS NOT NULL OR late_grant <> 'full' OR take_back_until IS NOT NULL
            OR move_cooldown_s <> 0 OR decision_mode <> 'rolling' OR accept_threshold_coins IS NOT NULL
            OR backers_min <> 0 OR returned_coins <> 'reuse' OR author_withdraw_until IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'app.coin_policies holds rules that the earlier release does not know; not downgraded';
    END IF;
END $$;
ALTER TABLE app.coin_policies
    DROP COLUMN coins_per_member_and_idea_max_percent, DROP COLUMN late_grant, DROP COLUMN take_back_until,
    DROP COLUMN move_cooldown_s, DROP COLUMN decision_mode, DROP COLUMN accept_threshold_coins,
    DROP COLUMN backers_min, DROP COLUMN returned_coins, DROP COLUMN author_withdraw_until;
