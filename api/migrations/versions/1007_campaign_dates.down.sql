DO $$ BEGIN
    IF EXISTS (SELECT FROM app.events WHERE kind IN ('campaign_dates_changed', 'campaign_closed')) THEN
        RAISE EXCEPTION 'app.events holds events of closed campaigns and changed dates; not downgraded';
    END IF;
END $$;
ALTER TABLE app.events
    DROP CONSTRAINT ck_events_kind,
    ADD CONSTRAINT ck_events_kind CHECK (kind IN (
        'user_registered', 'user_created', 'user_updated', 'user_deactivated',
        'user_sessions_ended', 'user_logged_in', 'user_logged_out', 'log_in_failed',
        'refresh_token_reused', 'campaign_created', 'campaign_activated', 'campaign_completed',
        'campaign_archived', 'election_imported', 'member_joined', 'member_left',
        'member_role_changed', 'coin_policy_changed', 'coins_granted', 'coins_corrected',
        'coins_allocated', 'coins_reallocated', 'coins_taken_back', 'coins_settled',
        'idea_submitted', 'idea_edited', 'idea_approved', 'idea_rejected', 'idea_withdrawn',
        'idea_accepted', 'idea_acceptance_undone', 'idea_started', 'idea_completed', 'idea_stopped',
        'idea_not_selected', 'idea_valued'
    ));
ALTER TABLE app.coin_ledgers
    DROP CONSTRAINT ck_coin_ledgers_window_in_order, DROP COLUMN opens_at, DROP COLUMN closes_at;
DROP INDEX app.ix_campaigns_ends_at, app.ix_campaigns_decide_by;
UPDATE app.campaigns SET status = 'active'
WHERE status = 'closed';
ALTER TABLE app.campaigns
    DROP CONSTRAINT ck_campaigns_closed_has_end,
    DROP CONSTRAINT ck_campaigns_decide_by_needs_end,
    DROP CONSTRAINT ck_campaigns_dates_in_order,
    ADD CONSTRAINT ck_campaigns_dates_in_order CHECK (starts_at <= ends_at AND submissions_close_at <= ends_at),
    DROP CONSTRAINT ck_campaigns_status,
    ADD CONSTRAINT ck_campaigns_status CHECK (status IN ('draft', 'active', 'completed', 'archived')),
    DROP COLUMN decide_by;
