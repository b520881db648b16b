CREATE TABLE app.ideas (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    author_id uuid,
    title text NOT NULL CONSTRAINT ck_ideas_title_length CHECK (length(title) >= 1),
    description text NOT NULL DEFAULT '',
    status text NOT NULL CONSTRAINT ck_ideas_status CHECK (status IN (
        'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown'
    )),
    submitted_at timestamptz NOT NULL DEFAULT now(),
    status_changed_at timestamptz NOT NULL DEFAULT now(),
    reason text,
    latitude double precision CONSTRAINT ck_ideas_latitude CHECK (latitude BETWEEN -90 AND 90),
    longitude double precision CONSTRAINT ck_ideas_longitude CHECK (longitude BETWEEN -180 AND 180),
    source_ref text,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT pk_ideas PRIMARY KEY (id),
    CONSTRAINT uq_ideas_source_ref UNIQUE (campaign_id, source_ref),
    CONSTRAINT fk_ideas_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id),
    CONSTRAINT fk_ideas_author_id_users FOREIGN KEY (author_id) REFERENCES app.users (id)
);
CREATE INDEX ix_ideas_campaign_id_status ON app.ideas (campaign_id, status, id);
CREATE INDEX ix_ideas_author_id ON app.ideas (author_id);

CREATE TABLE app.idea_tags (
    idea_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT ck_idea_tags_kind CHECK (kind IN ('tag', 'category', 'target')),
    name text NOT NULL CONSTRAINT ck_idea_tags_name_length CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT pk_idea_tags PRIMARY KEY (idea_id, kind, name),
    CONSTRAINT fk_idea_tags_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id) ON DELETE CASCADE
);

-- Status changes and valuations are append-only; the row of the idea has the current status.
CREATE TABLE app.idea_status_changes (
    id uuid NOT NULL DEFAULT app.uuid7(),
    idea_id uuid NOT NULL,
    from_status text CONSTRAINT ck_idea_status_changes_from_status CHECK (from_status IN (
        'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown'
    )),
    to_status text NOT NULL CONSTRAINT ck_idea_status_changes_to_status CHECK (to_status IN (
        'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown'
    )),
    changed_at timestamptz NOT NULL DEFAULT now(),
    changed_by uuid,
    reason text,
    CONSTRAINT pk_idea_status_changes PRIMARY KEY (id),
    CONSTRAINT fk_idea_status_changes_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id)
);
CREATE INDEX ix_idea_status_changes_idea_id ON app.idea_status_changes (idea_id, changed_at);

CREATE TABLE app.idea_valuations (
    id uuid NOT NULL DEFAULT app.uuid7(),
    idea_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT ck_idea_valuations_kind
        CHECK (kind IN ('expected_cost', 'realised_cost', 'expected_value', 'realised_value')),
    amount numeric(18, 2) NOT NULL,
    currency char(3) NOT NULL CONSTRAINT ck_idea_valuations_currency CHECK (currency ~ '^[A-Z]{3}$'),
    valued_on date NOT NULL,
    source text NOT NULL CONSTRAINT ck_idea_valuations_source_length CHECK (length(source) BETWEEN 1 AND 500),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    recorded_by uuid,
    CONSTRAINT pk_idea_valuations PRIMARY KEY (id),
    CONSTRAINT fk_idea_valuations_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id),
    CONSTRAINT ck_idea_valuations_cost_not_negative CHECK (kind NOT LIKE '%\_cost' OR amount >= 0)
);
CREATE INDEX ix_idea_valuations_idea_id ON app.idea_valuations (idea_id, kind, valued_on DESC, recorded_at DESC);

GRANT SELECT, INSERT, UPDATE ON app.ideas TO ideamint_app;
GRANT SELECT, INSERT, DELETE ON app.idea_tags TO ideamint_app;
GRANT SELECT, INSERT ON app.idea_status_changes, app.idea_valuations TO ideamint_app;
GRANT SELECT ON app.ideas, app.idea_tags, app.idea_status_changes, app.idea_valuations TO ideamint_dbt;
