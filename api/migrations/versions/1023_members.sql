-- Members of campaigns: the roles observer and moderator, removal, invitations, and requests to join.
ALTER TABLE app.memberships
    DROP CONSTRAINT ck_memberships_role,
    ADD CONSTRAINT ck_memberships_role CHECK (role IN ('observer', 'member', 'moderator', 'manager')),
    -- of an ended membership: a manager ended it, and only a manager can add the user again
    ADD COLUMN was_removed boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT ck_memberships_removed_has_left CHECK (NOT was_removed OR left_at IS NOT NULL);

-- Invitations of addresses to campaigns. Of the secret of a link only the SHA-256 is stored.
CREATE TABLE app.campaign_invitations (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    email text NOT NULL CONSTRAINT ck_campaign_invitations_email_length CHECK (length(email) BETWEEN 3 AND 254),
    name text CONSTRAINT ck_campaign_invitations_name_length CHECK (length(name) BETWEEN 1 AND 200),
    role text NOT NULL DEFAULT 'member' CONSTRAINT ck_campaign_invitations_role
        CHECK (role IN ('observer', 'member', 'moderator', 'manager')),
    attributes jsonb NOT NULL DEFAULT '{}',
    invited_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    secret_hash bytea CONSTRAINT ck_campaign_invitations_secret_hash CHECK (octet_length(secret_hash) = 32),
    sent_at timestamptz,
    accepted_at timestamptz,
    accepted_by uuid,
    revoked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT pk_campaign_invitations PRIMARY KEY (id),
    CONSTRAINT uq_campaign_invitations_secret_hash UNIQUE (secret_hash),
    CONSTRAINT fk_campaign_invitations_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id) ON DELETE CASCADE,
    CONSTRAINT fk_campaign_invitations_accepted_by_users FOREIGN KEY (accepted_by) REFERENCES app.users (id),
    CONSTRAINT ck_campaign_invitations_one_end CHECK (num_nonnulls(accepted_at, revoked_at) <= 1),
    CONSTRAINT ck_campaign_invitations_accepted CHECK ((accepted_at IS NULL) = (accepted_by IS NULL)),
    CONSTRAINT ck_campaign_invitations_ended_has_no_secret
        CHECK (secret_hash IS NULL OR num_nonnulls(accepted_at, revoked_at) = 0)
);
CREATE UNIQUE INDEX uq_campaign_invitations_pending ON app.campaign_invitations (campaign_id, lower(email))
    WHERE accepted_at IS NULL AND revoked_at IS NULL;
CREATE INDEX ix_campaign_invitations_campaign_id ON app.campaign_invitations (campaign_id, id);
CREATE INDEX ix_campaign_invitations_accepted_by ON app.campaign_invitations (accepted_by);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.campaign_invitations TO ideamint_app;

ALTER TABLE app.campaigns
    DROP CONSTRAINT ck_campaigns_join_policy,
    ADD CONSTRAINT ck_campaigns_join_policy CHECK (join_policy IN ('open', 'by_request', 'by_manager'));

-- Requests of users to become members of a campaign.
CREATE TABLE app.join_requests (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    user_id uuid NOT NULL,
    status text NOT NULL DEFAULT 'open' CONSTRAINT ck_join_requests_status
        CHECK (status IN ('open', 'approved', 'refused')),
    message text CONSTRAINT ck_join_requests_message_length CHECK (length(message) BETWEEN 1 AND 1000),
    requested_at timestamptz NOT NULL DEFAULT now(),
    decided_at timestamptz,
    decided_by uuid,
    reason text CONSTRAINT ck_join_requests_reason_length CHECK (length(reason) BETWEEN 1 AND 1000),
    CONSTRAINT pk_join_requests PRIMARY KEY (id),
    CONSTRAINT fk_join_requests_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id) ON DELETE CASCADE,
    CONSTRAINT fk_join_requests_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id),
    CONSTRAINT ck_join_requests_decided CHECK ((status = 'open') = (decided_at IS NULL)),
    CONSTRAINT ck_join_requests_reason CHECK ((status = 'refused') = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX uq_join_requests_open ON app.join_requests (campaign_id, user_id) WHERE status = 'open';
CREATE INDEX ix_join_requests_campaign_id ON app.join_requests (campaign_id, id);
CREATE INDEX ix_join_requests_user_id ON app.join_requests (user_id);
GRANT SELECT, INSERT, UPDATE ON app.join_requests TO ideamint_app;
