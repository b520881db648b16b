DROP TABLE app.coin_merge_accounts, app.idea_merge_followers, app.idea_merge_sources, app.idea_merges;
ALTER TABLE app.coin_transfers
    DROP CONSTRAINT ck_coin_transfers_kind,
    ADD CONSTRAINT ck_coin_transfers_kind CHECK (kind IN (
        'grant', 'allocate', 'reallocate', 'take_back', 'expire', 'return', 'settle',
        'reverse', 'correct', 'hold', 'release', 'carry'
    ));
ALTER TABLE app.ideas
    DROP COLUMN merged_into_id,
    DROP CONSTRAINT ck_ideas_status,
    ADD CONSTRAINT ck_ideas_status CHECK (status IN (
        'draft', 'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown'
    ));
ALTER TABLE app.idea_status_changes
    DROP CONSTRAINT ck_idea_status_changes_from_status,
    ADD CONSTRAINT ck_idea_status_changes_from_status CHECK (from_status IN (
        'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown'
    )),
    DROP CONSTRAINT ck_idea_status_changes_to_status,
    ADD CONSTRAINT ck_idea_status_changes_to_status CHECK (to_status IN (
        'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown'
    ));
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
        'idea_marked_material', 'free_tag_converted', 'join_request_withdrawn', 'member_attribute_defined'
    ));
