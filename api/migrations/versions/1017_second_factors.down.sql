DO $$ BEGIN
    IF EXISTS (
        SELECT FROM app.events
        WHERE kind IN (
            'second_factor_added', 'second_factor_removed', 'second_factors_reset', 'second_factor_failed',
            'recovery_codes_created', 'recovery_code_used', 'user_confirmed'
        )
    ) THEN
        RAISE EXCEPTION 'app.events holds events of second factors that the earlier release does not know; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (
        SELECT a.user_id FROM app.authenticator_apps AS a WHERE a.confirmed_at IS NOT NULL
        UNION ALL SELECT p.user_id FROM app.passkeys AS p
    ) THEN
        RAISE EXCEPTION 'accounts have second factors, which the earlier release would not ask for; not downgraded';
    END IF;
END $$;
DELETE FROM app.account_mails
WHERE purpose IN ('log_ins_delayed', 'log_in_code', 'factors_changed', 'factor_reset');
ALTER TABLE app.account_mails
    DROP COLUMN challenge_id,
    DROP CONSTRAINT ck_account_mails_purpose,
    ADD CONSTRAINT ck_account_mails_purpose CHECK (purpose IN (
        'verify_address', 'registration_repeated', 'reset_password', 'password_changed', 'confirm_new_address',
        'address_changed', 'session_ended_by_reuse', 'account_deactivated'
    ));
DROP TABLE app.log_in_challenges;
DROP TABLE app.passkeys;
DROP TABLE app.recovery_codes;
DROP TABLE app.authenticator_apps;
DROP TABLE app.log_in_counts;
ALTER TABLE app.sessions DROP COLUMN authenticated_at, DROP COLUMN second_factor_at;
ALTER TABLE app.events
    DROP CONSTRAINT ck_events_kind,
    ADD CONSTRAINT ck_events_kind CHECK (kind IN (
        'user_registered', 'registration_repeated', 'user_created', 'user_updated', 'user_deactivated',
        'user_reactivated', 'user_rights_changed', 'user_address_verified', 'user_address_changed',
        'password_reset_requested', 'password_changed', 'user_sessions_ended', 'user_logged_in',
        'user_logged_out', 'log_in_failed', 'refresh_token_reused', 'campaign_created', 'campaign_activated',
        'campaign_dates_changed', 'campaign_closed', 'campaign_completed', 'campaign_archived',
        'election_imported', 'member_joined', 'member_left', 'member_role_changed', 'member_attributes_changed',
        'coin_policy_changed', 'coins_granted', 'coins_corrected', 'coins_allocated', 'coins_reallocated',
        'coins_taken_back', 'coins_settled', 'idea_submitted', 'idea_edited', 'idea_approved', 'idea_rejected',
        'idea_withdrawn', 'idea_accepted', 'idea_acceptance_undone', 'idea_started', 'idea_completed',
        'idea_stopped', 'idea_not_selected', 'idea_valued', 'data_command_sent'
    ));
