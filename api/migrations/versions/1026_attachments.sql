-- Pictures and other files of ideas. The content is in the store of files, under the keys of their objects.
CREATE TABLE app.attachments (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    idea_id uuid NOT NULL,
    name text NOT NULL CONSTRAINT ck_attachments_name_length CHECK (length(name) BETWEEN 1 AND 200),
    media_type text NOT NULL CONSTRAINT ck_attachments_media_type CHECK (media_type IN (
        'image/png', 'image/jpeg', 'image/webp', 'application/pdf', 'text/plain', 'text/csv',
        'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
        'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
        'application/vnd.oasis.opendocument.text'
    )),
    size_bytes integer NOT NULL CONSTRAINT ck_attachments_size_bytes CHECK (size_bytes > 0),
    width integer CONSTRAINT ck_attachments_width CHECK (width > 0),
    height integer CONSTRAINT ck_attachments_height CHECK (height > 0),
    sha256 bytea NOT NULL CONSTRAINT ck_attachments_sha256 CHECK (octet_length(sha256) = 32), -- of the stored original
    uploaded_at timestamptz NOT NULL DEFAULT now(),
    uploaded_by uuid,
    CONSTRAINT pk_attachments PRIMARY KEY (id),
    CONSTRAINT fk_attachments_campaign_id_campaigns FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id),
    CONSTRAINT fk_attachments_idea_id_ideas
        FOREIGN KEY (idea_id) REFERENCES app.ideas (id) ON DELETE CASCADE,
    CONSTRAINT ck_attachments_picture CHECK (
        (width IS NULL) = (height IS NULL) AND (width IS NOT NULL) = (media_type LIKE 'image/%')
    )
);
CREATE INDEX ix_attachments_idea_id ON app.attachments (idea_id, id);

CREATE TABLE app.attachment_objects (
    key text NOT NULL CONSTRAINT ck_attachment_objects_key CHECK (key ~ '^[a-z]+/[0-9a-f]{2}/[0-9a-f]{32}$'),
    attachment_id uuid NOT NULL,
    variant text NOT NULL CONSTRAINT ck_attachment_objects_variant CHECK (variant IN ('original', 'large', 'small')),
    CONSTRAINT pk_attachment_objects PRIMARY KEY (key),
    CONSTRAINT uq_attachment_objects_attachment_id UNIQUE (attachment_id, variant),
    CONSTRAINT fk_attachment_objects_attachment_id_attachments
    FOREIGN KEY (attachment_id) REFERENCES app.attachments (id) ON DELETE CASCADE
);

GRANT SELECT, INSERT, DELETE ON app.attachments, app.attachment_objects TO ideamint_app;
GRANT SELECT (id, campaign_id, idea_id, media_type, size_bytes, uploaded_at) ON app.attachments TO ideamint_dbt;
