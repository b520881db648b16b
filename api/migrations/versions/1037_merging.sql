-- Merges of ideas, with the coins that they move. The checks include all earlier values, so present rows need no check:
-- a later version validates the constraints.
ALTER TABLE app.coin_transfers
    DROP CONSTRAINT ck_coin_transfers_kind,
    ADD CONSTRAINT ck_coin_transfers_kind CHECK (kind IN (
        'grant', 'allocate', 'reallocate', 'take_back', 'expire', 'return', 'settle',
        'reverse', 'correct', 'hold', 'release', 'carry', 'merge'
    )) NOT VALID;
ALTER TABLE app.ideas
    DROP CONSTRAINT ck_ideas_status,
    ADD CONSTRAINT ck_ideas_status CHECK (status IN (
        'draft', 'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown', 'merged'
    )) NOT VALID,
    ADD COLUMN merged_into_id uuid,
    ADD CONSTRAINT fk_ideas_merged_into_id_ideas FOREIGN KEY (merged_into_id) REFERENCES app.ideas (id) NOT VALID,
    -- a merged idea is the target of no merge, so there are no cycles
    ADD CONSTRAINT ck_ideas_merged_into_id
        CHECK ((merged_into_id IS NOT NULL) = (status = 'merged') AND merged_into_id <> id) NOT VALID;
CREATE INDEX ix_ideas_merged_into_id ON app.ideas (merged_into_id) WHERE merged_into_id IS NOT NULL;
ALTER TABLE app.idea_status_changes
    DROP CONSTRAINT ck_idea_status_changes_from_status,
    ADD CONSTRAINT ck_idea_status_changes_from_status CHECK (from_status IN (
        'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown', 'merged'
    )) NOT VALID,
    DROP CONSTRAINT ck_idea_status_changes_to_status,
    ADD CONSTRAINT ck_idea_status_changes_to_status CHECK (to_status IN (
        'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown', 'merged'
    )) NOT VALID;

-- A merge of ideas into one, and whether it was undone.
CREATE TABLE app.idea_merges (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    target_id uuid NOT NULL,
    merged_at timestamptz NOT NULL,
    merged_by uuid,
    reason text NOT NULL CONSTRAINT ck_idea_merges_reason_length CHECK (length(reason) BETWEEN 1 AND 2000),
    undone_at timestamptz,
    undone_by uuid,
    undo_reason text CONSTRAINT ck_idea_merges_undo_reason_length CHECK (length(undo_reason) BETWEEN 1 AND 2000),
    CONSTRAINT pk_idea_merges PRIMARY KEY (id),
    CONSTRAINT fk_idea_merges_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id),
    CONSTRAINT fk_idea_merges_target_id_ideas FOREIGN KEY (target_id) REFERENCES app.ideas (id),
    CONSTRAINT ck_idea_merges_undone CHECK ((undone_at IS NULL) = (undo_reason IS NULL) AND undone_at >= merged_at)
);
CREATE INDEX ix_idea_merges_target_id ON app.idea_merges (target_id, merged_at);
CREATE INDEX ix_idea_merges_campaign_id ON app.idea_merges (campaign_id);

-- The ideas of a merge, each with its status and coins before.
CREATE TABLE app.idea_merge_sources (
    merge_id uuid NOT NULL,
    idea_id uuid NOT NULL,
    from_status text NOT NULL
        CONSTRAINT ck_idea_merge_sources_from_status CHECK (from_status IN ('pending', 'competing')),
    stake_coins bigint NOT NULL CONSTRAINT ck_idea_merge_sources_stake_coins CHECK (stake_coins >= 0),
    backers integer NOT NULL CONSTRAINT ck_idea_merge_sources_backers CHECK (backers >= 0),
    returned_coins bigint NOT NULL
        CONSTRAINT ck_idea_merge_sources_returned_coins CHECK (returned_coins BETWEEN 0 AND stake_coins),
    reason text, -- of the status before, with its code and time
    reason_code text,
    status_changed_at timestamptz NOT NULL,
    CONSTRAINT pk_idea_merge_sources PRIMARY KEY (merge_id, idea_id),
    CONSTRAINT fk_idea_merge_sources_merge_id_idea_merges FOREIGN KEY (merge_id) REFERENCES app.idea_merges (id),
    CONSTRAINT fk_idea_merge_sources_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id)
);
CREATE INDEX ix_idea_merge_sources_idea_id ON app.idea_merge_sources (idea_id);

-- Who became a follower of the target by a merge: its undo removes exactly these.
CREATE TABLE app.idea_merge_followers (
    merge_id uuid NOT NULL,
    user_id uuid NOT NULL,
    CONSTRAINT pk_idea_merge_followers PRIMARY KEY (merge_id, user_id),
    CONSTRAINT fk_idea_merge_followers_merge_id_idea_merges FOREIGN KEY (merge_id) REFERENCES app.idea_merges (id),
    CONSTRAINT fk_idea_merge_followers_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id)
);
CREATE INDEX ix_idea_merge_followers_user_id ON app.idea_merge_followers (user_id);

-- The versions after a merge of the stakes that it emptied, of all stakes of its target, and of the wallets that got
-- coins back: the undo is possible as long as these are their present versions. Without foreign keys, as the ledger.
CREATE TABLE app.coin_merge_accounts (
    merge_id uuid NOT NULL,
    account_id bigint NOT NULL,
    account_version integer NOT NULL
        CONSTRAINT ck_coin_merge_accounts_account_version CHECK (account_version >= 0),
    -- the last postings of an emptied stake that are of the merge: to the target, to the wallet, or both
    debits smallint NOT NULL DEFAULT 0 CONSTRAINT ck_coin_merge_accounts_debits CHECK (debits BETWEEN 0 AND 2),
    CONSTRAINT pk_coin_merge_accounts PRIMARY KEY (merge_id, account_id)
);

GRANT SELECT, INSERT ON app.idea_merges, app.idea_merge_sources, app.idea_merge_followers TO ideamint_app;
GRANT UPDATE (undone_at, undone_by, undo_reason) ON app.idea_merges TO ideamint_app;
GRANT SELECT ON app.coin_merge_accounts TO ideamint_app;

ALTER TABLE app.events
    DROP CONSTRAINT ck_events_kind,
    ADD CONSTRAINT ck_events_kind CHECK (kind IN (
        'user_registered', 'registration_repeated', 'user_created', 'user_updated', 'user_deactivated',
        'user_reactivated', 'user_rights_changed', 'user_address_verified', 'user_address_changed',
        'password_reset_requested', 'password_changed', 'user_sessions_ended', 'user_logged_in',
        'user_logged_out', 'log_in_failed', 'refresh_token_reused', 'second_factor_added',
        'second_factor_removed', 'second_factors_reset', 'second_factor_failed', 'recovery_codes_created',
        'recovery_code_used', 'user_confirmed', 'session_refreshed', 'api_token_created',
        'api_token_rotated', 'api_token_revoked', 'service_account_created', 'service_account_changed',
        'service_account_deactivated', 'request_refused', 'personal_data_read', 'identity_linked',
        'identity_unlinked', 'user_logged_out_by_provider', 'user_invited', 'user_deleted',
        'campaign_created', 'campaign_activated', 'campaign_dates_changed', 'campaign_closed',
        'campaign_completed', 'campaign_archived', 'election_imported', 'member_joined', 'member_left',
        'member_role_changed', 'member_attributes_changed', 'coin_policy_changed', 'coins_granted',
        'coins_corrected', 'coins_allocated', 'coins_reallocated', 'coins_taken_back', 'coins_settled',
        'idea_submitted', 'idea_edited', 'idea_approved', 'idea_rejected', 'idea_withdrawn',
        'idea_accepted', 'idea_acceptance_undone', 'idea_started', 'idea_completed', 'idea_stopped',
        'idea_not_selected', 'idea_valued', 'data_command_sent', 'campaign_edited', 'campaign_paused',
        'campaign_resumed', 'campaign_deleted', 'member_removed', 'member_invited', 'invitation_revoked',
        'invitation_accepted', 'join_requested', 'join_request_approved', 'join_request_refused',
        'idea_drafted', 'idea_draft_edited', 'idea_draft_deleted', 'idea_changes_requested', 'tag_created',
        'tag_edited', 'tags_merged', 'tag_deleted', 'rejection_reasons_changed', 'comment_written',
        'comment_edited', 'comment_deleted', 'comment_hidden', 'comment_shown', 'official_answer_changed',
        'note_written', 'note_edited', 'note_deleted', 'idea_followed', 'idea_unfollowed',
        'idea_owner_changed', 'milestone_added', 'milestone_changed', 'milestone_deleted',
        'attachment_added', 'attachment_deleted', 'campaign_cover_changed', 'idea_shared', 'idea_link_revoked',
        'idea_marked_material', 'free_tag_converted', 'join_request_withdrawn', 'member_attribute_defined',
        'ideas_merged', 'merge_undone'
    )) NOT VALID;
