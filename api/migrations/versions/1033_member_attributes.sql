-- Attributes of members that a campaign defines, such as their department. The values are in memberships.attributes
-- under the key; the triggers of campaigns/sql/attribute_triggers.sql check them.
CREATE TABLE app.member_attributes (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    -- the columns of lists of members have the other names
    key text NOT NULL CONSTRAINT ck_member_attributes_key
        CHECK (key ~ '^[a-z][a-z0-9_]*$' AND length(key) <= 50 AND key NOT IN ('email', 'name', 'role')),
    label text NOT NULL CONSTRAINT ck_member_attributes_label_length CHECK (length(label) BETWEEN 1 AND 100),
    kind text NOT NULL DEFAULT 'text' CONSTRAINT ck_member_attributes_kind CHECK (kind IN ('text', 'choice')),
    options text[] NOT NULL DEFAULT '{}',
    is_required boolean NOT NULL DEFAULT false,
    is_asked boolean NOT NULL DEFAULT true,
    is_editable boolean NOT NULL DEFAULT true,
    position integer NOT NULL DEFAULT 0 CONSTRAINT ck_member_attributes_position CHECK (position >= 0),
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now(),
    updated_by uuid,
    CONSTRAINT pk_member_attributes PRIMARY KEY (id),
    CONSTRAINT uq_member_attributes_key UNIQUE (campaign_id, key),
    CONSTRAINT fk_member_attributes_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id) ON DELETE CASCADE,
    CONSTRAINT ck_member_attributes_options CHECK (
        (kind = 'choice') = (cardinality(options) > 0) AND cardinality(options) <= 200
        AND array_position(options, NULL) IS NULL AND array_position(options, '') IS NULL
    ),
    -- who joins is asked for what is required
    CONSTRAINT ck_member_attributes_required_is_asked CHECK (is_asked OR NOT is_required)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.member_attributes TO ideamint_app;

-- The list of the members of a campaign, in the order in which they joined.
CREATE INDEX ix_memberships_current ON app.memberships (campaign_id, joined_at, id) WHERE left_at IS NULL;

-- What a person who asks to join says about themselves; they can withdraw the request. Every present row fits the new
-- check: 1035 validates it.
ALTER TABLE app.join_requests
    ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}',
    DROP CONSTRAINT ck_join_requests_status,
    ADD CONSTRAINT ck_join_requests_status CHECK (status IN ('open', 'approved', 'refused', 'withdrawn')) NOT VALID;

-- When managers last received a mail about requests to join.
CREATE TABLE app.join_request_notices (
    campaign_id uuid NOT NULL,
    ordered_at timestamptz NOT NULL,
    CONSTRAINT pk_join_request_notices PRIMARY KEY (campaign_id),
    CONSTRAINT fk_join_request_notices_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id) ON DELETE CASCADE
);
GRANT SELECT, INSERT, UPDATE ON app.join_request_notices TO ideamint_app;
CREATE INDEX ix_join_requests_open ON app.join_requests (requested_at) WHERE status = 'open';

-- The mails of invitations that were ordered in the last days, by address in lower case: they limit further ones.
CREATE TABLE app.campaign_invitation_mails (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    email text NOT NULL CONSTRAINT ck_campaign_invitation_mails_email CHECK (email = lower(email)),
    ordered_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_campaign_invitation_mails PRIMARY KEY (id),
    CONSTRAINT fk_campaign_invitation_mails_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id) ON DELETE CASCADE
);
CREATE INDEX ix_campaign_invitation_mails_email ON app.campaign_invitation_mails (campaign_id, email, ordered_at);
CREATE INDEX ix_campaign_invitation_mails_ordered_at ON app.campaign_invitation_mails (ordered_at);
GRANT SELECT, INSERT, DELETE ON app.campaign_invitation_mails TO ideamint_app;
