DO $$ BEGIN
    IF EXISTS (
        SELECT FROM app.events
        WHERE kind IN ('campaign_edited', 'campaign_paused', 'campaign_resumed', 'campaign_deleted')
    ) THEN
        RAISE EXCEPTION 'app.events holds events of campaigns that the earlier release does not know; not downgraded';
    END IF;
END $$;
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
REVOKE DELETE ON app.memberships FROM ideamint_app;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.campaigns WHERE status = 'paused') THEN
        RAISE EXCEPTION 'campaigns are paused, which the earlier release does not know; not downgraded';
    END IF;
END $$;
ALTER TABLE app.coin_ledgers DROP COLUMN paused_at;
DROP INDEX app.ix_campaigns_ends_at, app.ix_campaigns_copied_from_id, app.ix_campaigns_follows_id;
CREATE INDEX ix_campaigns_ends_at ON app.campaigns (ends_at) WHERE status = 'active';
ALTER TABLE app.campaigns
    DROP CONSTRAINT ck_campaigns_paused,
    DROP CONSTRAINT ck_campaigns_status,
    ADD CONSTRAINT ck_campaigns_status CHECK (status IN ('draft', 'active', 'closed', 'completed', 'archived')),
    DROP CONSTRAINT fk_campaigns_follows_id_campaigns,
    DROP CONSTRAINT fk_campaigns_copied_from_id_campaigns,
    DROP CONSTRAINT ck_campaigns_running_cost_has_currency,
    DROP COLUMN kind, DROP COLUMN goal, DROP COLUMN running_cost_amount, DROP COLUMN copied_from_id,
    DROP COLUMN follows_id, DROP COLUMN paused_at, DROP COLUMN version;
