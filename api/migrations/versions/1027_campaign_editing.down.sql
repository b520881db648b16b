DO $$ BEGIN
    IF EXISTS (
        SELECT FROM app.campaigns
        WHERE goal <> '' OR running_cost_amount IS NOT NULL OR copied_from_id IS NOT NULL OR follows_id IS NOT NULL
            OR kind <> CASE origin WHEN 'imported' THEN 'budget' ELSE 'suggestions' END
    ) THEN
        RAISE EXCEPTION 'app.campaigns holds kinds, goals, costs or links, which would be lost; not downgraded';
    END IF;
END $$;
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
