-- Append-only, partitioned by month of recorded_at. The default partition takes the rows of a month without a
-- partition.
CREATE TABLE app.events (
    id uuid NOT NULL DEFAULT app.uuid7(),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL CONSTRAINT ck_events_kind CHECK (kind ~ '^[a-z]+(_[a-z]+)*$'),
    campaign_id uuid,
    actor_id uuid,
    user_id uuid,
    idea_id uuid,
    request_id text,
    data jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT pk_events PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
CREATE INDEX ix_events_xid ON app.events (xid, id);
CREATE INDEX ix_events_campaign_id ON app.events (campaign_id, occurred_at);
CREATE INDEX ix_events_recorded_at ON app.events USING brin (recorded_at);

CREATE TABLE app.events_default PARTITION OF app.events DEFAULT;

GRANT SELECT, INSERT ON app.events TO ideamint_app;
GRANT SELECT (id, xid, recorded_at, occurred_at, kind, campaign_id, actor_id, user_id, idea_id)
    ON app.events TO ideamint_dbt;
