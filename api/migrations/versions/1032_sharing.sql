-- Files of ideas that a job writes for one person. The content is in the store of files; the rows are deleted with it.
CREATE TABLE app.idea_exports (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    requested_by uuid NOT NULL, -- a user or a service account
    format text NOT NULL CONSTRAINT ck_idea_exports_format CHECK (format IN ('csv', 'xlsx')),
    query text NOT NULL, -- in the grammar of lists of ideas
    rights jsonb NOT NULL, -- with which the file is written, by name; who downloads it must still have them
    requested_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    finished_at timestamptz,
    key text CONSTRAINT ck_idea_exports_key CHECK (key ~ '^[a-z]+/[0-9a-f]{2}/[0-9a-f]{32}$'),
    ideas integer CONSTRAINT ck_idea_exports_ideas CHECK (ideas >= 0),
    size_bytes bigint CONSTRAINT ck_idea_exports_size_bytes CHECK (size_bytes > 0),
    CONSTRAINT pk_idea_exports PRIMARY KEY (id),
    CONSTRAINT fk_idea_exports_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id) ON DELETE CASCADE,
    CONSTRAINT ck_idea_exports_expires_at CHECK (expires_at > requested_at),
    CONSTRAINT ck_idea_exports_finished CHECK (
        (finished_at IS NULL) = (key IS NULL) AND (key IS NULL) = (ideas IS NULL)
        AND (key IS NULL) = (size_bytes IS NULL)
    )
);
CREATE INDEX ix_idea_exports_requested_by ON app.idea_exports (campaign_id, requested_by, requested_at);
CREATE INDEX ix_idea_exports_expires_at ON app.idea_exports (expires_at);
CREATE UNIQUE INDEX uq_idea_exports_key ON app.idea_exports (key);

-- Short links. A link of the kind share grants no access of its own, so its token is stored as it is, to be shown
-- again. A kind that carries a context, an expiry or access gets columns of its own, and stores the hash of its token
-- only.
CREATE TABLE app.permalinks (
    id uuid NOT NULL DEFAULT app.uuid7(),
    kind text NOT NULL CONSTRAINT ck_permalinks_kind CHECK (kind IN ('share')),
    campaign_id uuid NOT NULL,
    idea_id uuid NOT NULL,
    token text NOT NULL CONSTRAINT ck_permalinks_token CHECK (token ~ '^[1-9A-HJ-NP-Za-km-z]{12}$'),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid, -- a user or a service account
    revoked_at timestamptz,
    revoked_by uuid,
    CONSTRAINT pk_permalinks PRIMARY KEY (id),
    CONSTRAINT uq_permalinks_token UNIQUE (token),
    CONSTRAINT fk_permalinks_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id),
    CONSTRAINT fk_permalinks_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id) ON DELETE CASCADE,
    CONSTRAINT ck_permalinks_revoked CHECK (revoked_at IS NOT NULL OR revoked_by IS NULL)
);
-- an idea has one link of this kind that works
CREATE UNIQUE INDEX uq_permalinks_idea_id_share ON app.permalinks (idea_id) WHERE kind = 'share' AND revoked_at IS NULL;
CREATE INDEX ix_permalinks_idea_id ON app.permalinks (idea_id);

-- The cover picture of a campaign: one, in up to three sizes. A copied campaign refers to the same objects.
CREATE TABLE app.campaign_covers (
    campaign_id uuid NOT NULL,
    id uuid NOT NULL DEFAULT app.uuid7(), -- of each picture another one
    media_type text NOT NULL CONSTRAINT ck_campaign_covers_media_type
    CHECK (media_type IN ('image/png', 'image/jpeg', 'image/webp')),
    size_bytes integer NOT NULL CONSTRAINT ck_campaign_covers_size_bytes CHECK (size_bytes > 0),
    width integer NOT NULL CONSTRAINT ck_campaign_covers_width CHECK (width > 0),
    height integer NOT NULL CONSTRAINT ck_campaign_covers_height CHECK (height > 0),
    sha256 bytea NOT NULL CONSTRAINT ck_campaign_covers_sha256 CHECK (octet_length(sha256) = 32), -- of the original
    original_key text NOT NULL
    CONSTRAINT ck_campaign_covers_original_key CHECK (original_key ~ '^[a-z]+/[0-9a-f]{2}/[0-9a-f]{32}$'),
    large_key text CONSTRAINT ck_campaign_covers_large_key CHECK (large_key ~ '^[a-z]+/[0-9a-f]{2}/[0-9a-f]{32}$'),
    small_key text CONSTRAINT ck_campaign_covers_small_key CHECK (small_key ~ '^[a-z]+/[0-9a-f]{2}/[0-9a-f]{32}$'),
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    uploaded_by uuid,
    CONSTRAINT pk_campaign_covers PRIMARY KEY (campaign_id),
    CONSTRAINT uq_campaign_covers_id UNIQUE (id),
    CONSTRAINT fk_campaign_covers_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id) ON DELETE CASCADE
);

GRANT SELECT, INSERT, UPDATE, DELETE ON app.idea_exports, app.campaign_covers TO ideamint_app;
GRANT SELECT, INSERT, UPDATE ON app.permalinks TO ideamint_app;
GRANT SELECT (id, kind, campaign_id, idea_id, created_at, revoked_at) ON app.permalinks TO ideamint_dbt;

-- the official answers of a campaign, newest first, for its feed
CREATE INDEX ix_comments_official_at ON app.comments (campaign_id, official_at) WHERE official_at IS NOT NULL;
