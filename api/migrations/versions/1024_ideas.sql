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
    CONSTRAINT fk_campaign_tags_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id),
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
    CONSTRAINT fk_rejection_reasons_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id)
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

ALTER TABLE app.service_accounts
    DROP CONSTRAINT ck_service_accounts_scopes,
    ADD CONSTRAINT ck_service_accounts_scopes CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY[
            'manage_users', 'view_audit', 'view_campaign', 'manage_campaign', 'manage_members',
            'manage_coin_policy', 'grant_coins',
            'view_coin_figures', 'view_coin_audit', 'view_stakes', 'view_report', 'view_all_ideas', 'manage_ideas',
            'tag_ideas'
        ]
    );
ALTER TABLE app.api_tokens
    DROP CONSTRAINT ck_api_tokens_scopes,
    ADD CONSTRAINT ck_api_tokens_scopes CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY[
            'own:read', 'manage_users', 'view_audit', 'create_campaign', 'view_campaign', 'join_campaign',
            'leave_campaign', 'manage_campaign', 'manage_members', 'manage_coin_policy', 'coins:stake', 'grant_coins',
            'view_coin_figures', 'view_coin_audit', 'view_stakes', 'view_report', 'submit_idea', 'view_all_ideas',
            'edit_idea', 'withdraw_idea', 'manage_ideas', 'tag_ideas'
        ]
    );

ALTER TABLE app.events
    DROP CONSTRAINT ck_events_kind,
    ADD CONSTRAINT ck_events_kind CHECK (kind IN (
        'user_registered', 'registration_repeated', 'user_created', 'user_updated', 'user_deactivated',
        'user_reactivated', 'user_rights_changed', 'user_address_verified', 'user_address_changed',
        'password_reset_requested', 'password_changed', 'user_sessions_ended', 'user_logged_in',
        'user_logged_out', 'log_in_failed', 'refresh_token_reused', 'second_factor_added',
        'second_factor_removed', 'second_factors_reset', 'second_factor_failed', 'recovery_codes_created',
        'recovery_code_used', 'user_confirmed', 'session_refreshed', 'api_token_created', 'api_token_rotated',
        'api_token_revoked', 'service_account_created', 'service_account_changed',
        'service_account_deactivated', 'request_refused', 'personal_data_read', 'identity_linked',
        'identity_unlinked', 'user_logged_out_by_provider', 'user_invited', 'user_deleted', 'campaign_created',
        'campaign_activated', 'campaign_dates_changed', 'campaign_closed', 'campaign_completed',
        'campaign_archived', 'election_imported', 'member_joined', 'member_left', 'member_role_changed',
        'member_attributes_changed', 'coin_policy_changed', 'coins_granted', 'coins_corrected',
        'coins_allocated', 'coins_reallocated', 'coins_taken_back', 'coins_settled', 'idea_submitted',
        'idea_edited', 'idea_approved', 'idea_rejected', 'idea_withdrawn', 'idea_accepted',
        'idea_acceptance_undone', 'idea_started', 'idea_completed', 'idea_stopped', 'idea_not_selected',
        'idea_valued', 'data_command_sent', 'idea_drafted', 'idea_draft_edited', 'idea_draft_deleted',
        'idea_changes_requested', 'tag_created', 'tag_edited', 'tags_merged', 'tag_deleted',
        'rejection_reasons_changed'
    )) NOT VALID;
