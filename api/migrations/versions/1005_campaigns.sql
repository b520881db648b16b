CREATE TABLE app.campaigns (
    id uuid NOT NULL DEFAULT app.uuid7(),
    slug text NOT NULL CONSTRAINT ck_campaigns_slug
        CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND length(slug) BETWEEN 3 AND 100),
    title text NOT NULL CONSTRAINT ck_campaigns_title_length CHECK (length(title) BETWEEN 3 AND 200),
    description text NOT NULL DEFAULT '',
    status text NOT NULL DEFAULT 'draft' CONSTRAINT ck_campaigns_status
        CHECK (status IN ('draft', 'active', 'completed', 'archived')),
    origin text NOT NULL DEFAULT 'native' CONSTRAINT ck_campaigns_origin CHECK (origin IN ('native', 'imported')),
    visibility text NOT NULL DEFAULT 'open' CONSTRAINT ck_campaigns_visibility
        CHECK (visibility IN ('open', 'members')),
    join_policy text NOT NULL DEFAULT 'open' CONSTRAINT ck_campaigns_join_policy
        CHECK (join_policy IN ('open', 'by_manager')),
    is_mediated boolean NOT NULL DEFAULT false,
    budget_amount numeric(18, 2) CONSTRAINT ck_campaigns_budget_amount CHECK (budget_amount >= 0),
    currency char(3) CONSTRAINT ck_campaigns_currency CHECK (currency ~ '^[A-Z]{3}$'),
    eligible_people integer CONSTRAINT ck_campaigns_eligible_people CHECK (eligible_people > 0),
    time_zone text NOT NULL DEFAULT 'UTC',
    locale text NOT NULL DEFAULT 'en',
    starts_at timestamptz,
    submissions_close_at timestamptz,
    ends_at timestamptz,
    activated_at timestamptz,
    completed_at timestamptz,
    archived_at timestamptz,
    source jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT pk_campaigns PRIMARY KEY (id),
    CONSTRAINT uq_campaigns_slug UNIQUE (slug),
    CONSTRAINT ck_campaigns_dates_in_order CHECK (starts_at <= ends_at AND submissions_close_at <= ends_at),
    CONSTRAINT ck_campaigns_budget_has_currency CHECK (budget_amount IS NULL OR currency IS NOT NULL)
);

-- A member who leaves and joins again has two memberships but one wallet.
CREATE TABLE app.memberships (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    user_id uuid NOT NULL,
    role text NOT NULL DEFAULT 'member' CONSTRAINT ck_memberships_role CHECK (role IN ('member', 'manager')),
    joined_at timestamptz NOT NULL DEFAULT now(),
    left_at timestamptz,
    attributes jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT pk_memberships PRIMARY KEY (id),
    CONSTRAINT fk_memberships_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id),
    CONSTRAINT fk_memberships_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id),
    CONSTRAINT ck_memberships_left_after_joined CHECK (left_at >= joined_at)
);
CREATE UNIQUE INDEX uq_memberships_current ON app.memberships (campaign_id, user_id) WHERE left_at IS NULL;
CREATE INDEX ix_memberships_user_id ON app.memberships (user_id);

CREATE TABLE app.election_imports (
    campaign_id uuid NOT NULL,
    election_key text NOT NULL,
    file_name text NOT NULL,
    sha256 bytea NOT NULL,
    ballots integer NOT NULL,
    allocations integer NOT NULL,
    accepted_counts boolean NOT NULL DEFAULT false,
    imported_at timestamptz NOT NULL DEFAULT now(),
    imported_by uuid,
    CONSTRAINT pk_election_imports PRIMARY KEY (campaign_id),
    CONSTRAINT uq_election_imports_election_key UNIQUE (election_key),
    CONSTRAINT uq_election_imports_sha256 UNIQUE (sha256),
    CONSTRAINT fk_election_imports_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id)
);

GRANT SELECT, INSERT, UPDATE, DELETE ON app.campaigns TO ideamint_app;
GRANT SELECT, INSERT, UPDATE ON app.memberships TO ideamint_app;
GRANT SELECT, INSERT ON app.election_imports TO ideamint_app;
GRANT SELECT ON app.campaigns, app.memberships, app.election_imports TO ideamint_dbt;
