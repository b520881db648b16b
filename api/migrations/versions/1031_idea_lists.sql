-- What lists are ordered and filtered by and that is in tables of several rows for each idea. Triggers keep it:
-- ideas/sql/figures.sql. Members' commands on coins do not write here; the aggregation of totals does.
CREATE TABLE app.idea_figures (
    idea_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    coins bigint NOT NULL DEFAULT 0 CONSTRAINT ck_idea_figures_coins CHECK (coins >= 0), -- as lists show them
    backers integer NOT NULL DEFAULT 0 CONSTRAINT ck_idea_figures_backers CHECK (backers >= 0),
    trend_coins bigint NOT NULL DEFAULT 0, -- the sum of app.idea_coin_days
    -- that all readers see
    comments integer NOT NULL DEFAULT 0 CONSTRAINT ck_idea_figures_comments CHECK (comments >= 0),
    next_due_on date NOT NULL DEFAULT 'infinity', -- of the first open milestone
    CONSTRAINT pk_idea_figures PRIMARY KEY (idea_id),
    CONSTRAINT fk_idea_figures_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id) ON DELETE CASCADE
) WITH (fillfactor = 70);

-- How the coins of an idea changed on each of the last days, in UTC.
CREATE TABLE app.idea_coin_days (
    idea_id uuid NOT NULL,
    counted_on date NOT NULL,
    coins bigint NOT NULL,
    CONSTRAINT pk_idea_coin_days PRIMARY KEY (idea_id, counted_on),
    CONSTRAINT fk_idea_coin_days_idea_id_ideas FOREIGN KEY (idea_id) REFERENCES app.ideas (id) ON DELETE CASCADE
) WITH (fillfactor = 70);
CREATE INDEX ix_idea_coin_days_counted_on ON app.idea_coin_days (counted_on, idea_id);

-- What is written from here on is counted by the triggers, which are created at the end of this transaction.
LOCK TABLE app.ideas, app.comments, app.idea_milestones, app.coin_targets, app.coin_totals IN SHARE ROW EXCLUSIVE MODE;
INSERT INTO app.idea_figures (idea_id, campaign_id, coins, backers, comments, next_due_on)
SELECT i.id, i.campaign_id, coalesce(t.settled_coins, f.coins, 0) AS coins,
    coalesce(t.settled_backers, f.backers, 0) AS backers, coalesce(c.comments, 0) AS comments,
    coalesce(m.due_on, 'infinity') AS next_due_on
FROM app.ideas AS i
LEFT JOIN app.coin_targets AS t ON t.idea_id = i.id
LEFT JOIN app.coin_totals AS f ON f.idea_id = i.id
LEFT JOIN (
    SELECT c.idea_id, count(*) AS comments FROM app.comments AS c
    WHERE c.kind = 'comment' AND c.deleted_at IS NULL AND c.hidden_at IS NULL
GROUP BY c.idea_id
) AS c ON c.idea_id = i.id
LEFT JOIN (
    SELECT m.idea_id, min(m.due_on) AS due_on FROM app.idea_milestones AS m
WHERE m.done_on IS NULL
GROUP BY m.idea_id
) AS m ON m.idea_id = i.id;
INSERT INTO app.idea_coin_days (idea_id, counted_on, coins)
SELECT a.idea_id, (t.effective_at AT TIME ZONE 'UTC')::date AS counted_on, sum(p.amount_coins) AS coins
FROM app.coin_transfers AS t
INNER JOIN app.coin_postings AS p ON p.transfer_id = t.id
INNER JOIN app.coin_accounts AS a ON a.id = p.account_id
INNER JOIN app.ideas AS i ON i.id = a.idea_id
WHERE t.kind IN ('allocate', 'reallocate', 'take_back')
    -- later transfers are added with the totals
    AND t.xid < (SELECT g.aggregated_xid FROM app.coin_aggregations AS g)
    AND t.effective_at >= ((now() AT TIME ZONE 'UTC')::date - 6) AT TIME ZONE 'UTC'
GROUP BY a.idea_id, (t.effective_at AT TIME ZONE 'UTC')::date;
UPDATE app.idea_figures AS f SET trend_coins = d.coins
FROM (SELECT d.idea_id, sum(d.coins) AS coins FROM app.idea_coin_days AS d
GROUP BY d.idea_id) AS d
WHERE d.idea_id = f.idea_id;

CREATE INDEX ix_idea_figures_coins ON app.idea_figures (campaign_id, coins, idea_id);
CREATE INDEX ix_idea_figures_trend_coins ON app.idea_figures (campaign_id, trend_coins, idea_id);
CREATE INDEX ix_idea_figures_comments ON app.idea_figures (campaign_id, comments, idea_id);
CREATE INDEX ix_idea_figures_next_due_on ON app.idea_figures (campaign_id, next_due_on, idea_id);
CREATE INDEX ix_ideas_newest ON app.ideas (campaign_id, submitted_at, id);
CREATE INDEX ix_ideas_title ON app.ideas (campaign_id, (left(lower(title), 60)), id);
CREATE INDEX ix_ideas_updated_at ON app.ideas (campaign_id, updated_at);
-- a random order is that of these numbers, each XOR a number of the reader
CREATE INDEX ix_ideas_shuffled ON app.ideas (campaign_id, (uuid_hash_extended(id, 0) & 9223372036854775807), id);
CREATE INDEX ix_idea_tags_name_lower ON app.idea_tags (lower(name), idea_id);

-- A filter of a list with a name. `query` is in the grammar of lists; it is read again at each use.
CREATE TABLE app.idea_views (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    owner_id uuid NOT NULL,
    name text NOT NULL CONSTRAINT ck_idea_views_name_length CHECK (length(name) BETWEEN 1 AND 80),
    query text NOT NULL CONSTRAINT ck_idea_views_query_length CHECK (length(query) <= 1000),
    is_shared boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT pk_idea_views PRIMARY KEY (id),
    CONSTRAINT fk_idea_views_campaign_id_campaigns
        FOREIGN KEY (campaign_id) REFERENCES app.campaigns (id) ON DELETE CASCADE,
    CONSTRAINT fk_idea_views_owner_id_users FOREIGN KEY (owner_id) REFERENCES app.users (id)
);
CREATE UNIQUE INDEX uq_idea_views_own_name ON app.idea_views (campaign_id, owner_id, lower(name)) WHERE NOT is_shared;
CREATE UNIQUE INDEX uq_idea_views_shared_name ON app.idea_views (campaign_id, lower(name)) WHERE is_shared;
CREATE INDEX ix_idea_views_owner_id ON app.idea_views (owner_id);

GRANT SELECT ON app.idea_figures TO ideamint_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON app.idea_views TO ideamint_app;
