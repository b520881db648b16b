-- Append-only, partitioned by month of recorded_at. The default partition takes the rows of a month without a
-- partition.
CREATE TABLE app.events (
    id uuid NOT NULL DEFAULT app.uuid7(),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    occurred_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind text NOT NULL CONSTRAINT ck_events_kind CHECK (kind IN (
        'user_registered', 'user_created', 'user_updated', 'user_deactivated',
        'user_sessions_ended', 'user_logged_in', 'user_logged_out', 'log_in_failed',
        'refresh_token_reused', 'campaign_created', 'campaign_activated', 'campaign_completed',
        'campaign_archived', 'election_imported', 'member_joined', 'member_left',
        'member_role_changed', 'coin_policy_changed', 'coins_granted', 'coins_corrected',
        'coins_allocated', 'coins_reallocated', 'coins_taken_back', 'coins_settled',
        'idea_submitted', 'idea_edited', 'idea_approved', 'idea_rejected', 'idea_withdrawn',
        'idea_accepted', 'idea_acceptance_undone', 'idea_started', 'idea_completed', 'idea_stopped',
        'idea_not_selected', 'idea_valued'
    )),
    version smallint NOT NULL DEFAULT 1,
    campaign_id uuid,
    actor_id uuid,
    user_id uuid,
    idea_id uuid,
    request_id text,
    data jsonb NOT NULL DEFAULT '{}',
    CONSTRAINT pk_events PRIMARY KEY (id, recorded_at)
) PARTITION BY RANGE (recorded_at);
-- The partition of consumers is the last hexadecimal digit of the campaign's id; 0 without a campaign. Unlike
-- PostgreSQL's hash functions it is the same in every server version. api.events.queries has the same expression.
CREATE INDEX ix_events_partition ON app.events (
    (get_byte(uuid_send(coalesce(campaign_id, '00000000-0000-0000-0000-000000000000'::uuid)), 15) & 15), xid, id
);
CREATE INDEX ix_events_campaign_id ON app.events (campaign_id, occurred_at);
CREATE INDEX ix_events_recorded_at ON app.events USING brin (recorded_at);

CREATE TABLE app.events_default PARTITION OF app.events DEFAULT;

GRANT SELECT, INSERT ON app.events TO ideamint_app;
GRANT SELECT (id, xid, recorded_at, occurred_at, kind, campaign_id, actor_id, user_id, idea_id)
    ON app.events TO ideamint_dbt;

CREATE TABLE app.event_cursors (
    consumer text NOT NULL CONSTRAINT ck_event_cursors_consumer CHECK (consumer ~ '^[a-z]+(_[a-z]+)*$'),
    partition smallint NOT NULL CONSTRAINT ck_event_cursors_partition CHECK (partition BETWEEN 0 AND 15),
    xid xid8 NOT NULL,
    id uuid NOT NULL,
    lease_token uuid,
    lease_until timestamptz,
    holder text,
    moved_at timestamptz,
    CONSTRAINT pk_event_cursors PRIMARY KEY (consumer, partition),
    CONSTRAINT ck_event_cursors_lease
        CHECK (num_nulls(lease_token, lease_until, holder) IN (0, 3))
) WITH (fillfactor = 50);

CREATE TABLE app.event_failures (
    consumer text NOT NULL,
    event_id uuid NOT NULL,
    partition smallint NOT NULL,
    campaign_id uuid NOT NULL,
    xid xid8 NOT NULL,
    recorded_at timestamptz NOT NULL,
    attempts smallint NOT NULL DEFAULT 0 CONSTRAINT ck_event_failures_attempts CHECK (attempts >= 0),
    due_at timestamptz,
    parked_at timestamptz,
    error text,
    CONSTRAINT pk_event_failures PRIMARY KEY (consumer, event_id),
    CONSTRAINT fk_event_failures_event_cursors FOREIGN KEY (consumer, partition)
        REFERENCES app.event_cursors (consumer, partition),
    CONSTRAINT ck_event_failures_parked CHECK (parked_at IS NULL OR (due_at IS NULL AND attempts > 0))
);
CREATE INDEX ix_event_failures_campaign_id ON app.event_failures (consumer, campaign_id, xid, event_id);
CREATE INDEX ix_event_failures_due_at ON app.event_failures (consumer, partition, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX ix_event_failures_parked_at ON app.event_failures (consumer) WHERE parked_at IS NOT NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON app.event_cursors TO ideamint_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.event_failures TO ideamint_app;
