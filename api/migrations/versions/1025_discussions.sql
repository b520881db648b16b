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
    CONSTRAINT fk_comments_idea_id_ideas
        FOREIGN KEY (idea_id) REFERENCES app.ideas (id) ON DELETE CASCADE,
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
CREATE INDEX ix_comments_questions ON app.comments (campaign_id, idea_id)
    WHERE kind = 'comment' AND depth = 1 AND hidden_at IS NULL AND official_at IS NULL AND position('?' IN text) > 0;
CREATE INDEX ix_comments_parent_id ON app.comments (parent_id) WHERE parent_id IS NOT NULL;
CREATE INDEX ix_comments_author_id ON app.comments (author_id);
CREATE UNIQUE INDEX uq_comments_official ON app.comments (idea_id) WHERE official_at IS NOT NULL;

CREATE TABLE app.idea_followers (
    user_id uuid NOT NULL,
    idea_id uuid NOT NULL,
    followed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_idea_followers PRIMARY KEY (user_id, idea_id),
    CONSTRAINT fk_idea_followers_user_id_users FOREIGN KEY (user_id) REFERENCES app.users (id),
    CONSTRAINT fk_idea_followers_idea_id_ideas
        FOREIGN KEY (idea_id) REFERENCES app.ideas (id) ON DELETE CASCADE
);
CREATE INDEX ix_idea_followers_idea_id ON app.idea_followers (idea_id);

-- The member who is responsible for an idea.
CREATE TABLE app.idea_owners (
    idea_id uuid NOT NULL,
    user_id uuid NOT NULL,
    assigned_at timestamptz NOT NULL DEFAULT now(),
    assigned_by uuid,
    CONSTRAINT pk_idea_owners PRIMARY KEY (idea_id),
    CONSTRAINT fk_idea_owners_idea_id_ideas
        FOREIGN KEY (idea_id) REFERENCES app.ideas (id) ON DELETE CASCADE,
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
    CONSTRAINT fk_idea_milestones_idea_id_ideas
        FOREIGN KEY (idea_id) REFERENCES app.ideas (id) ON DELETE CASCADE
);
CREATE INDEX ix_idea_milestones_due_on ON app.idea_milestones (campaign_id, due_on, id) WHERE done_on IS NULL;

GRANT SELECT, INSERT, UPDATE, DELETE ON app.comments TO ideamint_app;
GRANT SELECT, INSERT, DELETE ON app.idea_followers TO ideamint_app;
GRANT SELECT (id, campaign_id, idea_id, kind, parent_id, written_at, deleted_at, hidden_at, official_at)
    ON app.comments TO ideamint_dbt;
GRANT SELECT (idea_id, followed_at) ON app.idea_followers TO ideamint_dbt;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.idea_owners, app.idea_milestones TO ideamint_app;
GRANT SELECT ON app.idea_milestones TO ideamint_dbt;
