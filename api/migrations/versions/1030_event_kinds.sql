-- The kinds of events of the versions from 1031 on. They include all of before, so present rows need no check: 1035
-- validates the constraint.
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
    )) NOT VALID;
