-- Comments and internal notes on ideas, in threads of three levels. `root_id` is the first comment of the thread.
CREATE TABLE app.comments (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    idea_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT ck_comments_kind CHECK (kind IN ('comment', 'note')),
    parent_id uuid,
    root_id uuid NOT NULL,
    depth smallint NOT NULL CONSTRAINT ck_comments_depth CHECK (depth BETWEEN 1 AND 3),
    author_id uuid NOT NULL, -- a user; of a note also a service account
    text text NOT NULL,
    mention_ids uuid[] NOT NULL DEFAULT '{}' CONSTRAINT ck_comments_mentions CHECK (cardinality(mention_ids) <= 20),
    written_at timestamptz NOT NULL DEFAULT now(),
    edited_at timestamptz,
    deleted_at timestamptz, -- a comment with replies remains without its text
    hidden_at timestamptz,
    hidden_by uuid,
    hidden_reason text CONSTRAINT ck_comments_hidden_reason CHECK (length(hidden_reason) BETWEEN 3 AND 2000),
    official_at timestamptz,
    official_by uuid,
    CONSTRAINT pk_comments PRIMARY KEY (id),
    CONSTRAINT uq_comments_id UNIQUE (id, idea_id, kind, root_id), -- for the foreign key of replies
    CONSTRAINT fk_comments_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id),
    CONSTRAINT fk_comments_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id),
    CONSTRAINT fk_comments_parent_id_comments FOREIGN KEY (parent_id, idea_id, kind, root_id)
        REFERENCES app.comments (id, idea_id, kind, root_id),
    CONSTRAINT ck_comments_thread CHECK (
        (parent_id IS NULL) = (depth = 1) AND (parent_id IS NULL) = (root_id = id)
    ),
    CONSTRAINT ck_comments_text CHECK (
        length(text) <= 5000 AND (deleted_at IS NULL) = (text <> '')
        AND (deleted_at IS NULL OR mention_ids = '{}')
    ),
    CONSTRAINT ck_comments_hidden CHECK (num_nulls(hidden_at, hidden_by, hidden_reason) IN (0, 3)),
    CONSTRAINT ck_comments_official CHECK (
        num_nulls(official_at, official_by) IN (0, 2)
        AND (official_at IS NULL OR (kind = 'comment' AND deleted_at IS NULL AND hidden_at IS NULL))
    )
);
CREATE INDEX ix_comments_idea_id ON app.comments (idea_id, kind, root_id, id);
CREATE INDEX ix_comments_parent_id ON app.comments (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_comments_author_id ON app.comments (author_id);
CREATE UNIQUE INDEX uq_comments_official ON app.comments (idea_id) WHERE official_at IS NOT NULL;

CREATE TABLE app.idea_followers (
    user_id uuid NOT NULL,
    idea_id uuid NOT NULL,
    followed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_idea_followers PRIMARY KEY (user_id, idea_id),
    CONSTRAINT fk_idea_followers_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id),
    CONSTRAINT fk_idea_followers_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id)
);
CREATE INDEX ix_idea_followers_idea_id ON app.idea_followers (idea_id);

-- The member who is responsible for an idea.
CREATE TABLE app.idea_owners (
    idea_id uuid NOT NULL,
    user_id uuid NOT NULL,
    assigned_at timestamptz NOT NULL DEFAULT now(),
    assigned_by uuid,
    CONSTRAINT pk_idea_owners PRIMARY KEY (idea_id),
    CONSTRAINT fk_idea_owners_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id),
    CONSTRAINT fk_idea_owners_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id)
);
CREATE INDEX ix_idea_owners_user_id ON app.idea_owners (user_id);

CREATE TABLE app.idea_milestones (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    idea_id uuid NOT NULL,
    position integer NOT NULL CONSTRAINT ck_idea_milestones_position CHECK (position BETWEEN 1 AND 50),
    title text NOT NULL CONSTRAINT ck_idea_milestones_title_length CHECK (length(title) BETWEEN 1 AND 200),
    due_on date NOT NULL
    CONSTRAINT ck_idea_milestones_due_on CHECK (due_on BETWEEN '1900-01-01' AND '2200-12-31'),
    done_on date CONSTRAINT ck_idea_milestones_done_on CHECK (done_on BETWEEN '1900-01-01' AND '2200-12-31'),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT pk_idea_milestones PRIMARY KEY (id),
    -- checked at the end of the transaction: a move changes several positions
    CONSTRAINT uq_idea_milestones_idea_id UNIQUE (idea_id, position) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT fk_idea_milestones_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id),
    CONSTRAINT fk_idea_milestones_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id)
);
CREATE INDEX ix_idea_milestones_due_on ON app.idea_milestones (campaign_id, due_on, id) WHERE done_on IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON app.comments TO ideamint_app;
GRANT SELECT, INSERT, DELETE ON app.idea_followers TO ideamint_app;
GRANT SELECT (id, campaign_id, idea_id, kind, parent_id, written_at, deleted_at, hidden_at, official_at)
    ON app.comments TO ideamint_dbt;
GRANT SELECT (idea_id, followed_at) ON app.idea_followers TO ideamint_dbt;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.idea_owners, app.idea_milestones TO ideamint_app;
GRANT SELECT ON app.idea_milestones TO ideamint_dbt;

-- The scopes of API tokens follow from the permissions.
ALTER TABLE app.service_accounts
    DROP CONSTRAINT ck_service_accounts_scopes,
    ADD CONSTRAINT ck_service_accounts_scopes CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY[
            'manage_users', 'view_audit', 'view_campaign', 'manage_campaign', 'manage_members',
            'manage_coin_policy', 'grant_coins', 'view_coin_figures', 'view_coin_audit', 'view_stakes',
            'view_report', 'view_all_ideas', 'manage_ideas', 'moderate_comments', 'view_notes'
        ]
    );
ALTER TABLE app.api_tokens
    DROP CONSTRAINT ck_api_tokens_scopes,
    ADD CONSTRAINT ck_api_tokens_scopes CHECK (
        cardinality(scopes) > 0 AND scopes <@ ARRAY[
            'own:read', 'manage_users', 'view_audit', 'create_campaign', 'view_campaign', 'join_campaign',
            'leave_campaign', 'manage_campaign', 'manage_members', 'manage_coin_policy', 'coins:stake',
            'grant_coins', 'view_coin_figures', 'view_coin_audit', 'view_stakes', 'view_report', 'submit_idea',
            'view_all_ideas', 'edit_idea', 'withdraw_idea', 'manage_ideas', 'moderate_comments', 'view_notes',
            'comment', 'follow_ideas'
        ]
    ),
    DROP CONSTRAINT ck_api_tokens_service_scopes,
    ADD CONSTRAINT ck_api_tokens_service_scopes CHECK (
        service_account_id IS NULL OR NOT scopes && ARRAY[
            'own:read', 'create_campaign', 'join_campaign', 'leave_campaign', 'coins:stake', 'submit_idea',
            'edit_idea', 'withdraw_idea', 'comment', 'follow_ideas'
        ]
    );

-- The list includes all kinds of before, so present rows need no check.
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
        'idea_valued', 'data_command_sent', 'comment_written', 'comment_edited', 'comment_deleted',
        'comment_hidden', 'comment_shown', 'official_answer_changed', 'note_written', 'note_edited',
        'note_deleted', 'idea_followed', 'idea_unfollowed', 'idea_owner_changed', 'milestone_added',
        'milestone_changed', 'milestone_deleted', 'attachment_added', 'attachment_deleted'
    )) NOT VALID;
