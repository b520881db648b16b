DO $$ BEGIN
    IF EXISTS (SELECT FROM app.memberships WHERE role IN ('observer', 'moderator')) THEN
        RAISE EXCEPTION 'app.memberships holds roles that the earlier release does not know; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.api_tokens WHERE scopes @> ARRAY['approve_ideas'])
        OR EXISTS (SELECT FROM app.service_accounts WHERE scopes @> ARRAY['approve_ideas']) THEN
        RAISE EXCEPTION 'tokens have the scope approve_ideas, which the earlier release does not know; not downgraded';
    END IF;
END $$;
ALTER TABLE app.api_tokens
    DROP CONSTRAINT ck_api_tokens_scopes,
    ADD CONSTRAINT ck_api_tokens_scopes CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY[
            'own:read', 'manage_users', 'view_audit', 'create_campaign', 'view_campaign', 'join_campaign',
            'leave_campaign', 'manage_campaign', 'manage_members', 'manage_coin_policy', 'coins:stake', 'grant_coins',
            'view_coin_figures', 'view_coin_audit', 'view_stakes', 'view_report', 'submit_idea', 'view_all_ideas',
            'edit_idea', 'withdraw_idea', 'manage_ideas'
        ]
    );
ALTER TABLE app.service_accounts
    DROP CONSTRAINT ck_service_accounts_scopes,
    ADD CONSTRAINT ck_service_accounts_scopes CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY[
            'manage_users', 'view_audit', 'view_campaign', 'manage_campaign', 'manage_members',
            'manage_coin_policy', 'grant_coins',
            'view_coin_figures', 'view_coin_audit', 'view_stakes', 'view_report', 'view_all_ideas', 'manage_ideas'
        ]
    );
ALTER TABLE app.memberships
    DROP CONSTRAINT ck_memberships_role,
    ADD CONSTRAINT ck_memberships_role CHECK (role IN ('member', 'manager'));
