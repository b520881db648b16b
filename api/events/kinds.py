"""The kinds of events: a closed set. `api.events.catalogue` states when each is recorded and who may see it."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """The kind of an event, named after the fact. A new kind requires a migration of the check `ck_events_kind`."""

    USER_REGISTERED = "user_registered"
    REGISTRATION_REPEATED = "registration_repeated"
    USER_CREATED = "user_created"
    USER_UPDATED = "user_updated"
    USER_DEACTIVATED = "user_deactivated"
    USER_REACTIVATED = "user_reactivated"
    USER_INVITED = "user_invited"
    USER_DELETED = "user_deleted"
    USER_RIGHTS_CHANGED = "user_rights_changed"
    USER_ADDRESS_VERIFIED = "user_address_verified"
    USER_ADDRESS_CHANGED = "user_address_changed"
    PASSWORD_RESET_REQUESTED = "password_reset_requested"  # noqa: S105 (the name of a fact, not a password)
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (the same)
    USER_SESSIONS_ENDED = "user_sessions_ended"
    USER_LOGGED_IN = "user_logged_in"
    USER_LOGGED_OUT = "user_logged_out"
    LOG_IN_FAILED = "log_in_failed"
    REFRESH_TOKEN_REUSED = "refresh_token_reused"  # noqa: S105 (the name of a fact, not a password)
    SECOND_FACTOR_ADDED = "second_factor_added"
    SECOND_FACTOR_REMOVED = "second_factor_removed"
    SECOND_FACTORS_RESET = "second_factors_reset"
    SECOND_FACTOR_FAILED = "second_factor_failed"
    RECOVERY_CODES_CREATED = "recovery_codes_created"
    RECOVERY_CODE_USED = "recovery_code_used"
    USER_CONFIRMED = "user_confirmed"
    SESSION_REFRESHED = "session_refreshed"
    API_TOKEN_CREATED = "api_token_created"  # noqa: S105 (the same)
    API_TOKEN_ROTATED = "api_token_rotated"  # noqa: S105 (the same)
    API_TOKEN_REVOKED = "api_token_revoked"  # noqa: S105 (the same)
    SERVICE_ACCOUNT_CREATED = "service_account_created"
    SERVICE_ACCOUNT_CHANGED = "service_account_changed"
    SERVICE_ACCOUNT_DEACTIVATED = "service_account_deactivated"
    REQUEST_REFUSED = "request_refused"
    PERSONAL_DATA_READ = "personal_data_read"
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"
    USER_LOGGED_OUT_BY_PROVIDER = "user_logged_out_by_provider"

    CAMPAIGN_CREATED = "campaign_created"
    CAMPAIGN_ACTIVATED = "campaign_activated"
    CAMPAIGN_DATES_CHANGED = "campaign_dates_changed"
    CAMPAIGN_CLOSED = "campaign_closed"
    CAMPAIGN_COMPLETED = "campaign_completed"
    CAMPAIGN_ARCHIVED = "campaign_archived"
    ELECTION_IMPORTED = "election_imported"
    MEMBER_JOINED = "member_joined"
    MEMBER_LEFT = "member_left"
    MEMBER_REMOVED = "member_removed"
    MEMBER_ROLE_CHANGED = "member_role_changed"
    MEMBER_ATTRIBUTES_CHANGED = "member_attributes_changed"
    MEMBER_INVITED = "member_invited"
    INVITATION_REVOKED = "invitation_revoked"
    INVITATION_ACCEPTED = "invitation_accepted"
    JOIN_REQUESTED = "join_requested"
    JOIN_REQUEST_APPROVED = "join_request_approved"
    JOIN_REQUEST_REFUSED = "join_request_refused"

    COIN_POLICY_CHANGED = "coin_policy_changed"
    COINS_GRANTED = "coins_granted"
    COINS_CORRECTED = "coins_corrected"
    COINS_ALLOCATED = "coins_allocated"
    COINS_REALLOCATED = "coins_reallocated"
    COINS_TAKEN_BACK = "coins_taken_back"
    COINS_SETTLED = "coins_settled"

    IDEA_SUBMITTED = "idea_submitted"
    IDEA_EDITED = "idea_edited"
    IDEA_APPROVED = "idea_approved"
    IDEA_REJECTED = "idea_rejected"
    IDEA_WITHDRAWN = "idea_withdrawn"
    IDEA_ACCEPTED = "idea_accepted"
    IDEA_ACCEPTANCE_UNDONE = "idea_acceptance_undone"
    IDEA_STARTED = "idea_started"
    IDEA_COMPLETED = "idea_completed"
    IDEA_STOPPED = "idea_stopped"
    IDEA_NOT_SELECTED = "idea_not_selected"
    IDEA_VALUED = "idea_valued"

    DATA_COMMAND_SENT = "data_command_sent"


class Audience(StrEnum):
    """Who may see that an event happened."""

    CAMPAIGN = "everyone who may see the campaign"
    MANAGERS = "the campaign's managers"
    AUTHOR = "the idea's author and the campaign's managers"
    POLICY = "the member, and others according to the coin policy's `stakes_visible_to`"
    PERSON = "the person and system administrators"
    ADMINISTRATORS = "system administrators"
