DO $$ BEGIN
    IF EXISTS (
        SELECT FROM app.events
        WHERE kind IN (
            'idea_drafted', 'idea_draft_edited', 'idea_draft_deleted', 'idea_changes_requested', 'tag_created',
            'tag_edited', 'tags_merged', 'tag_deleted', 'rejection_reasons_changed'
        )
    ) THEN
        RAISE EXCEPTION 'app.events holds events of ideas that the earlier release does not know; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.ideas WHERE status = 'draft') THEN
        RAISE EXCEPTION 'app.ideas holds drafts, which the earlier release would show; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.idea_versions) THEN
        RAISE EXCEPTION 'app.idea_versions holds earlier texts of ideas, which would be lost; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (
        SELECT FROM app.service_accounts WHERE 'tag_ideas' = ANY (scopes)
        UNION ALL SELECT FROM app.api_tokens WHERE 'tag_ideas' = ANY (scopes)
    ) THEN
        RAISE EXCEPTION 'API tokens have the scope tag_ideas, which the earlier release does not know; not downgraded';
    END IF;
END $$;
ALTER TABLE app.service_accounts
    DROP CONSTRAINT ck_service_accounts_scopes,
    ADD CONSTRAINT ck_service_accounts_scopes CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY[
            'manage_users', 'view_audit', 'view_campaign', 'manage_campaign', 'manage_members',
            'manage_coin_policy', 'grant_coins',
            'view_coin_figures', 'view_coin_audit', 'view_stakes', 'view_report', 'view_all_ideas', 'manage_ideas'
        ]
    );
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

REVOKE DELETE ON app.ideas FROM ideamint_app;
REVOKE UPDATE (name) ON app.idea_tags FROM ideamint_app;
ALTER TABLE app.idea_tags DROP COLUMN tag_id;
DROP TABLE app.idea_change_requests, app.rejection_reasons, app.idea_versions, app.campaign_tags;
ALTER TABLE app.idea_status_changes DROP COLUMN reason_code;
DROP INDEX app.ix_ideas_pending;
ALTER TABLE app.ideas
    DROP COLUMN resubmitted_from_id,
    DROP COLUMN changes_requested_at,
    DROP COLUMN reason_code,
    DROP CONSTRAINT ck_ideas_status,
    ADD CONSTRAINT ck_ideas_status CHECK (status IN (
        'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown'
    ));
ALTER TABLE app.events
    DROP CONSTRAINT ck_events_kind,
    ADD CONSTRAINT ck_events_kind CHECK (kind IN (
        'user_registered', 'registration_repeated', 'user_created', 'user_updated', 'user_deactivated',
        'user_reactivated', 'user_rights_changed', 'user_address_verified', 'user_address_changed',
        'password_reset_requested', 'password_changed', 'user_sessions_ended', 'user_logged_in',
        'user_logged_out', 'log_in_failed', 'refresh_token_reused', 'second_factor_added',
        'second_factor_removed', 'second_factors_reset', 'second_factor_failed', 'recovery_codes_created',
        'recovery_code_used', 'user_confirmed', 'session_refreshed', 'api_token_created', 'api_token_rotated',
        'api_token_revoked', 'service_account_created', 'service_account_changed',
        'service_account_deactivated', 'request_refused', 'personal_data_read', 'identity_linked',
        'identity_unlinked', 'user_logged_out_by_provider', 'user_invited', 'user_deleted', 'campaign_created',
        'campaign_activated', 'campaign_dates_changed', 'campaign_closed', 'campaign_completed',
        'campaign_archived', 'election_imported', 'member_joined', 'member_left', 'member_role_changed',
        'member_attributes_changed', 'coin_policy_changed', 'coins_granted', 'coins_corrected',
        'coins_allocated', 'coins_reallocated', 'coins_taken_back', 'coins_settled', 'idea_submitted',
        'idea_edited', 'idea_approved', 'idea_rejected', 'idea_withdrawn', 'idea_accepted',
        'idea_acceptance_undone', 'idea_started', 'idea_completed', 'idea_stopped', 'idea_not_selected',
        'idea_valued', 'data_command_sent'
    ));
