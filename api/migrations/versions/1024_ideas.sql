-- The checks of ideas and events are not validated here: every earlier row fits, and a validation would block writers.
-- A draft has no status change: its first one is its submission.
ALTER TABLE app.ideas
    DROP CONSTRAINT ck_ideas_status,
    ADD CONSTRAINT ck_ideas_status CHECK (status IN (
        'draft', 'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown'
    )) NOT VALID,
    ADD COLUMN reason_code text,
    ADD COLUMN resubmitted_from_id uuid,
    ADD COLUMN edit_number integer NOT NULL DEFAULT 1, -- raised by each change of the text, also of a draft
    ADD COLUMN changes_requested_at timestamptz, -- set while a pending idea waits for its author
    ADD CONSTRAINT fk_ideas_resubmitted_from_id_ideas
        FOREIGN KEY (resubmitted_from_id) REFERENCES app.ideas (id) NOT VALID,
    ADD CONSTRAINT ck_ideas_resubmitted_from_id CHECK (resubmitted_from_id <> id) NOT VALID;
CREATE UNIQUE INDEX uq_ideas_resubmitted_from_id ON app.ideas (resubmitted_from_id)
WHERE resubmitted_from_id IS NOT NULL;
CREATE INDEX ix_ideas_pending ON app.ideas (campaign_id, status_changed_at, id) WHERE status = 'pending';
ALTER TABLE app.idea_status_changes
    ADD COLUMN reason_code text,
    ADD CONSTRAINT ck_idea_status_changes_reason_code
        CHECK (reason_code IS NULL OR to_status = 'rejected') NOT VALID;

-- The tags that a campaign has defined. A tag without a parent has level 1; a child has the level of its parent plus 1,
-- so the levels also exclude cycles. The name in app.idea_tags follows that of the tag.
CREATE TABLE app.campaign_tags (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    parent_id uuid,
    level smallint NOT NULL CONSTRAINT ck_campaign_tags_level CHECK (level BETWEEN 1 AND 3),
    parent_level smallint NOT NULL GENERATED ALWAYS AS (level - 1) STORED,
    name text NOT NULL CONSTRAINT ck_campaign_tags_name_length CHECK (length(name) BETWEEN 1 AND 50),
    colour text CONSTRAINT ck_campaign_tags_colour CHECK (colour ~ '^#[0-9a-f]{6}$'),
    is_required boolean NOT NULL DEFAULT false,
    position integer NOT NULL DEFAULT 0 CONSTRAINT ck_campaign_tags_position CHECK (position >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT pk_campaign_tags PRIMARY KEY (id),
    CONSTRAINT uq_campaign_tags_id_name UNIQUE (id, name),
    CONSTRAINT uq_campaign_tags_id_campaign_id_level UNIQUE (id, campaign_id, level),
    CONSTRAINT fk_campaign_tags_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id) ON DELETE CASCADE,
    CONSTRAINT fk_campaign_tags_parent_id_campaign_tags FOREIGN KEY (parent_id, campaign_id, parent_level)
        REFERENCES app.campaign_tags (id, campaign_id, level) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT ck_campaign_tags_parent CHECK ((parent_id IS NULL) = (level = 1)),
    CONSTRAINT ck_campaign_tags_is_required CHECK (NOT is_required OR level = 1)
);
CREATE UNIQUE INDEX uq_campaign_tags_name_lower ON app.campaign_tags (campaign_id, lower(name));
CREATE INDEX ix_campaign_tags_parent_id ON app.campaign_tags (parent_id);
ALTER TABLE app.idea_tags
    ADD COLUMN tag_id uuid,
    ADD CONSTRAINT fk_idea_tags_tag_id_campaign_tags FOREIGN KEY (tag_id, name)
        REFERENCES app.campaign_tags (id, name) ON UPDATE CASCADE NOT VALID;
CREATE INDEX ix_idea_tags_tag_id ON app.idea_tags (tag_id) WHERE tag_id IS NOT NULL;

-- Texts of ideas, append-only. The text of an idea that was never edited is only in its own row.
CREATE TABLE app.idea_versions (
    idea_id uuid NOT NULL,
    version integer NOT NULL CONSTRAINT ck_idea_versions_version CHECK (version >= 1),
    title text NOT NULL,
    description text NOT NULL,
    categories text[] NOT NULL,
    tags text[] NOT NULL,
    created_at timestamptz NOT NULL,
    created_by uuid,
    reason text,
    restored_from integer,
    CONSTRAINT pk_idea_versions PRIMARY KEY (idea_id, version),
    CONSTRAINT fk_idea_versions_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id),
    CONSTRAINT ck_idea_versions_restored_from CHECK (restored_from < version)
);

-- The reasons of a campaign; without rows, the default ones of the code apply.
CREATE TABLE app.rejection_reasons (
    campaign_id uuid NOT NULL,
    code text NOT NULL CONSTRAINT ck_rejection_reasons_code CHECK (code ~ '^[a-z][a-z0-9_]{0,49}$'),
    label text NOT NULL CONSTRAINT ck_rejection_reasons_label_length CHECK (length(label) BETWEEN 1 AND 200),
    position integer NOT NULL,
    CONSTRAINT pk_rejection_reasons PRIMARY KEY (campaign_id, code),
    CONSTRAINT fk_rejection_reasons_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id) ON DELETE CASCADE
);

CREATE TABLE app.idea_change_requests (
    id uuid NOT NULL DEFAULT app.uuid7(),
    idea_id uuid NOT NULL,
    text text NOT NULL,
    requested_at timestamptz NOT NULL,
    requested_by uuid,
    ended_at timestamptz, -- the author has edited the idea, it has left the queue, or there is a newer request
    CONSTRAINT pk_idea_change_requests PRIMARY KEY (id),
    CONSTRAINT fk_idea_change_requests_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id),
    CONSTRAINT ck_idea_change_requests_ended_at CHECK (ended_at >= requested_at)
);
CREATE INDEX ix_idea_change_requests_idea_id ON app.idea_change_requests (idea_id, requested_at);
CREATE UNIQUE INDEX uq_idea_change_requests_open ON app.idea_change_requests (idea_id) WHERE ended_at IS NULL;

GRANT DELETE ON app.ideas TO ideamint_app; -- a trigger refuses all but drafts
GRANT UPDATE (name, tag_id) ON app.idea_tags TO ideamint_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.campaign_tags TO ideamint_app;
GRANT SELECT, INSERT ON app.idea_versions TO ideamint_app;
GRANT SELECT, INSERT, DELETE ON app.rejection_reasons TO ideamint_app;
GRANT SELECT, INSERT, UPDATE (ended_at) ON app.idea_change_requests TO ideamint_app;
GRANT SELECT ON app.campaign_tags, app.rejection_reasons TO ideamint_dbt;
