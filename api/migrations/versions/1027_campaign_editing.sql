-- More fields of campaigns, the status paused, and the pause of a ledger.
ALTER TABLE app.campaigns
    ADD COLUMN kind text NOT NULL DEFAULT 'suggestions'
        CONSTRAINT ck_campaigns_kind CHECK (kind IN ('suggestions', 'challenge', 'budget')),
    ADD COLUMN goal text NOT NULL DEFAULT '' CONSTRAINT ck_campaigns_goal_length CHECK (length(goal) <= 500),
    ADD COLUMN running_cost_amount numeric(18, 2) CONSTRAINT ck_campaigns_running_cost CHECK (running_cost_amount >= 0),
    ADD COLUMN copied_from_id uuid,
    ADD COLUMN follows_id uuid,
    ADD COLUMN paused_at timestamptz,
    ADD COLUMN version integer NOT NULL DEFAULT 1,
    ADD CONSTRAINT ck_campaigns_running_cost_has_currency
        CHECK (running_cost_amount IS NULL OR currency IS NOT NULL),
    ADD CONSTRAINT fk_campaigns_copied_from_id_campaigns
        FOREIGN KEY (copied_from_id) REFERENCES app.campaigns (id) ON DELETE SET NULL,
    ADD CONSTRAINT fk_campaigns_follows_id_campaigns
        FOREIGN KEY (follows_id) REFERENCES app.campaigns (id) ON DELETE SET NULL,
    DROP CONSTRAINT ck_campaigns_status,
    ADD CONSTRAINT ck_campaigns_status
        CHECK (status IN ('draft', 'active', 'paused', 'closed', 'completed', 'archived')),
    ADD CONSTRAINT ck_campaigns_paused CHECK ((status = 'paused') = (paused_at IS NOT NULL));
UPDATE app.campaigns SET kind = 'budget'
WHERE origin = 'imported';
CREATE INDEX ix_campaigns_copied_from_id ON app.campaigns (copied_from_id) WHERE copied_from_id IS NOT NULL;
CREATE INDEX ix_campaigns_follows_id ON app.campaigns (follows_id) WHERE follows_id IS NOT NULL;
-- the end of a paused campaign closes it, too
DROP INDEX app.ix_campaigns_ends_at;
CREATE INDEX ix_campaigns_ends_at ON app.campaigns (ends_at) WHERE status IN ('active', 'paused');

-- Since when members cannot move coins, because their campaign is paused; null if it is not.
ALTER TABLE app.coin_ledgers ADD COLUMN paused_at timestamptz;

GRANT DELETE ON app.memberships TO ideamint_app;

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
        'campaign_activated', 'campaign_edited', 'campaign_paused', 'campaign_resumed', 'campaign_deleted',
        'campaign_dates_changed', 'campaign_closed', 'campaign_completed',
        'campaign_archived', 'election_imported', 'member_joined', 'member_left', 'member_role_changed',
        'member_attributes_changed', 'coin_policy_changed', 'coins_granted', 'coins_corrected',
        'coins_allocated', 'coins_reallocated', 'coins_taken_back', 'coins_settled', 'idea_submitted',
        'idea_edited', 'idea_approved', 'idea_rejected', 'idea_withdrawn', 'idea_accepted',
        'idea_acceptance_undone', 'idea_started', 'idea_completed', 'idea_stopped', 'idea_not_selected',
        'idea_valued', 'data_command_sent'
    )) NOT VALID;
