-- The dates of campaigns are enforced. The status closed is that of a campaign whose end has passed and that is not
-- completed yet. The order of the dates is that of api.campaigns.dates.

-- no idea can be submitted with the old dates or the new ones, because both dates are enforced
UPDATE app.campaigns SET submissions_close_at = starts_at
WHERE submissions_close_at < starts_at;

ALTER TABLE app.campaigns
    ADD COLUMN decide_by timestamptz,
    DROP CONSTRAINT ck_campaigns_status,
    ADD CONSTRAINT ck_campaigns_status CHECK (status IN ('draft', 'active', 'closed', 'completed', 'archived')),
    DROP CONSTRAINT ck_campaigns_dates_in_order,
    ADD CONSTRAINT ck_campaigns_dates_in_order CHECK (
        starts_at <= submissions_close_at AND starts_at <= ends_at AND starts_at <= decide_by
        AND submissions_close_at <= ends_at AND submissions_close_at <= decide_by AND ends_at <= decide_by
    ),
    ADD CONSTRAINT ck_campaigns_decide_by_needs_end CHECK (decide_by IS NULL OR ends_at IS NOT NULL),
    ADD CONSTRAINT ck_campaigns_closed_has_end CHECK (status <> 'closed' OR ends_at IS NOT NULL);
-- The worker searches for campaigns to close and to complete every few seconds.
CREATE INDEX ix_campaigns_ends_at ON app.campaigns (ends_at) WHERE status = 'active';
CREATE INDEX ix_campaigns_decide_by ON app.campaigns (decide_by) WHERE status = 'closed';

-- The window of the campaign, both moments included: members can move coins only within it and the policy's window. It
-- is stored in this table because every movement reads its row already.
ALTER TABLE app.coin_ledgers
    ADD COLUMN opens_at timestamptz,
    ADD COLUMN closes_at timestamptz,
    ADD CONSTRAINT ck_coin_ledgers_window_in_order CHECK (opens_at <= closes_at);
UPDATE app.coin_ledgers AS l SET opens_at = c.starts_at, closes_at = c.ends_at
FROM app.campaigns AS c
WHERE c.id = l.campaign_id AND c.origin = 'native';

ALTER TABLE app.events
    DROP CONSTRAINT ck_events_kind,
    ADD CONSTRAINT ck_events_kind CHECK (kind IN (
        'user_registered', 'user_created', 'user_updated', 'user_deactivated',
        'user_sessions_ended', 'user_logged_in', 'user_logged_out', 'log_in_failed',
        'refresh_token_reused', 'campaign_created', 'campaign_activated', 'campaign_dates_changed',
        'campaign_closed', 'campaign_completed', 'campaign_archived', 'election_imported',
        'member_joined', 'member_left', 'member_role_changed', 'coin_policy_changed',
        'coins_granted', 'coins_corrected', 'coins_allocated', 'coins_reallocated',
        'coins_taken_back', 'coins_settled', 'idea_submitted', 'idea_edited',
        'idea_approved', 'idea_rejected', 'idea_withdrawn', 'idea_accepted',
        'idea_acceptance_undone', 'idea_started', 'idea_completed', 'idea_stopped',
        'idea_not_selected', 'idea_valued'
    ));
