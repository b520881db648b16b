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
