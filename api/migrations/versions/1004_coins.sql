-- Hot tables have campaign_id, user_id and idea_id without foreign keys: all writers would take a key-share lock on the
-- row of the same campaign or idea. The functions in api/coins/sql are the only writers and check the references.

CREATE TABLE app.coin_policies (
    campaign_id uuid NOT NULL,
    version integer NOT NULL CONSTRAINT ck_coin_policies_version CHECK (version >= 1),
    coins_per_member integer NOT NULL DEFAULT 100
        CONSTRAINT ck_coin_policies_coins_per_member CHECK (coins_per_member BETWEEN 1 AND 1000000000),
    coins_per_allocation_min integer NOT NULL DEFAULT 1
        CONSTRAINT ck_coin_policies_coins_per_allocation_min CHECK (coins_per_allocation_min >= 1),
    coins_per_member_and_idea_max integer
        CONSTRAINT ck_coin_policies_coins_per_member_and_idea_max
        CHECK (coins_per_member_and_idea_max >= coins_per_allocation_min),
    own_ideas boolean NOT NULL DEFAULT false,
    take_back boolean NOT NULL DEFAULT true,
    allocation_opens_at timestamptz,
    allocate_until timestamptz,
    undo_window_h integer NOT NULL DEFAULT 168
        CONSTRAINT ck_coin_policies_undo_window_h CHECK (undo_window_h BETWEEN 0 AND 8760),
    at_end text NOT NULL DEFAULT 'expire' CONSTRAINT ck_coin_policies_at_end CHECK (at_end IN ('expire')),
    -- members rely on it when they allocate, so later versions may only narrow it
    stakes_visible_to text NOT NULL DEFAULT 'self'
        CONSTRAINT ck_coin_policies_stakes_visible_to CHECK (stakes_visible_to IN ('self', 'managers', 'members')),
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_by uuid,
    CONSTRAINT pk_coin_policies PRIMARY KEY (campaign_id, version),
    CONSTRAINT ck_coin_policies_window_in_order CHECK (allocation_opens_at < allocate_until),
    CONSTRAINT ck_coin_policies_min_affordable CHECK (coins_per_allocation_min <= coins_per_member)
);

CREATE TABLE app.coin_ledgers (
    campaign_id uuid NOT NULL,
    policy_version integer NOT NULL,
    mint_id bigint NOT NULL,
    carried_in_id bigint NOT NULL,
    expired_id bigint NOT NULL,
    carried_out_id bigint NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    settled_at timestamptz,
    CONSTRAINT pk_coin_ledgers PRIMARY KEY (campaign_id),
    CONSTRAINT fk_coin_ledgers_policy FOREIGN KEY (campaign_id, policy_version)
        REFERENCES app.coin_policies (campaign_id, version)
);

CREATE TABLE app.coin_targets (
    idea_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    author_id uuid,
    is_open boolean NOT NULL DEFAULT true,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    settled_coins bigint CONSTRAINT ck_coin_targets_settled_coins CHECK (settled_coins >= 0),
    settled_backers integer CONSTRAINT ck_coin_targets_settled_backers CHECK (settled_backers >= 0),
    -- null while open, and while closed until the stakes are settled
    settled_at timestamptz,
    CONSTRAINT pk_coin_targets PRIMARY KEY (idea_id),
    CONSTRAINT ck_coin_targets_settled_after_closed CHECK (settled_at IS NULL OR NOT is_open),
    CONSTRAINT ck_coin_targets_closed_is_settled
        CHECK (
            is_open = (closed_at IS NULL) AND is_open = (settled_coins IS NULL) AND is_open = (settled_backers IS NULL)
        )
);
CREATE INDEX ix_coin_targets_campaign_id ON app.coin_targets (campaign_id);

CREATE TABLE app.coin_accounts (
    id bigint GENERATED ALWAYS AS IDENTITY,
    campaign_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT ck_coin_accounts_kind
        CHECK (kind IN ('mint', 'carried_in', 'wallet', 'held', 'stake', 'expired', 'carried_out')),
    user_id uuid,
    idea_id uuid,
    balance_coins bigint,
    version integer NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT '-infinity',
    frozen_at timestamptz,
    CONSTRAINT pk_coin_accounts PRIMARY KEY (id),
    CONSTRAINT ck_coin_accounts_owner
        CHECK (
            (user_id IS NOT NULL) = (kind IN ('wallet', 'held', 'stake')) AND (idea_id IS NOT NULL) = (kind = 'stake')
        ),
    -- mint, carried_in, expired and carried_out have no balance: every command would update the same row
    CONSTRAINT ck_coin_accounts_balance_kept
        CHECK ((balance_coins IS NOT NULL) = (kind IN ('wallet', 'held', 'stake'))),
    CONSTRAINT ck_coin_accounts_no_overdraft CHECK (balance_coins BETWEEN 0 AND 1000000000000)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX uq_coin_accounts_ledger ON app.coin_accounts (campaign_id, kind) WHERE user_id IS NULL;
CREATE UNIQUE INDEX uq_coin_accounts_wallet ON app.coin_accounts (campaign_id, user_id) WHERE kind = 'wallet';
CREATE UNIQUE INDEX uq_coin_accounts_held ON app.coin_accounts (campaign_id, user_id) WHERE kind = 'held';
-- one index for the stakes of an idea and of a member: with a second index on the idea alone, the planner finds a
-- member's stake by reading all stakes of the idea
CREATE UNIQUE INDEX uq_coin_accounts_stake ON app.coin_accounts (idea_id, user_id) WHERE kind = 'stake';
CREATE INDEX ix_coin_accounts_user_id ON app.coin_accounts (user_id, campaign_id) WHERE user_id IS NOT NULL;

CREATE TABLE app.coin_transfers (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    batch_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT ck_coin_transfers_kind CHECK (kind IN (
        'grant', 'allocate', 'reallocate', 'take_back', 'expire', 'return', 'settle',
        'reverse', 'correct', 'hold', 'release', 'carry')),
    actor_id uuid,
    reason text,
    reverses_id uuid,
    effective_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    CONSTRAINT pk_coin_transfers PRIMARY KEY (id),
    CONSTRAINT uq_coin_transfers_reverses_id UNIQUE (reverses_id),
    CONSTRAINT fk_coin_transfers_reverses_id FOREIGN KEY (reverses_id) REFERENCES app.coin_transfers (id),
    CONSTRAINT ck_coin_transfers_reverse_has_original CHECK ((kind = 'reverse') = (reverses_id IS NOT NULL))
);
CREATE INDEX ix_coin_transfers_xid ON app.coin_transfers (xid, id);
CREATE INDEX ix_coin_transfers_campaign_id ON app.coin_transfers (campaign_id, effective_at);

CREATE TABLE app.coin_postings (
    transfer_id uuid NOT NULL,
    side smallint NOT NULL CONSTRAINT ck_coin_postings_side CHECK (side IN (-1, 1)),
    account_id bigint NOT NULL,
    amount_coins bigint NOT NULL
        CONSTRAINT ck_coin_postings_amount CHECK (sign(amount_coins) = side AND abs(amount_coins) <= 1000000000000),
    account_version integer,
    balance_after_coins bigint CONSTRAINT ck_coin_postings_no_overdraft CHECK (balance_after_coins >= 0),
    effective_at timestamptz NOT NULL,
    -- at most one debit and one credit per transfer; the deferred trigger checks that both exist and sum to zero
    CONSTRAINT pk_coin_postings PRIMARY KEY (transfer_id, side),
    CONSTRAINT fk_coin_postings_transfer_id FOREIGN KEY (transfer_id) REFERENCES app.coin_transfers (id),
    CONSTRAINT ck_coin_postings_version_with_balance
        CHECK ((account_version IS NULL) = (balance_after_coins IS NULL))
);
CREATE UNIQUE INDEX uq_coin_postings_account_version ON app.coin_postings (account_id, account_version)
    WHERE account_version IS NOT NULL;
CREATE INDEX ix_coin_postings_account_id ON app.coin_postings (account_id) WHERE account_version IS NULL;

CREATE TABLE app.coin_keys (
    campaign_id uuid NOT NULL,
    user_id uuid NOT NULL,
    key text NOT NULL CONSTRAINT ck_coin_keys_key_length CHECK (length(key) BETWEEN 1 AND 255),
    request_hash bytea NOT NULL,
    transfer_id uuid NOT NULL,
    CONSTRAINT pk_coin_keys PRIMARY KEY (campaign_id, user_id, key)
);

-- Returns and the end of a campaign change wallets, so they run in steps, each in its own transaction, and continue
-- after the last step: stakes by idea and member, then wallets by member. Coins are conserved at each step.
CREATE TABLE app.coin_settlements (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT ck_coin_settlements_kind CHECK (kind IN ('return', 'settle')),
    idea_ids uuid[] NOT NULL,
    has_wallets boolean NOT NULL,
    actor_id uuid,
    reason text,
    request_id text,
    effective_at timestamptz,
    stakes_done boolean NOT NULL DEFAULT false,
    after_idea_id uuid,
    after_user_id uuid,
    transfers bigint NOT NULL DEFAULT 0,
    requested_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    CONSTRAINT pk_coin_settlements PRIMARY KEY (id)
);
CREATE INDEX ix_coin_settlements_unfinished ON app.coin_settlements (requested_at) WHERE finished_at IS NULL;

-- Totals of many ideas, aggregated from the postings in the background. The exact total of one idea is the sum of its
-- stakes.
CREATE TABLE app.coin_totals (
    idea_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    coins bigint NOT NULL CONSTRAINT ck_coin_totals_coins CHECK (coins >= 0),
    backers integer NOT NULL CONSTRAINT ck_coin_totals_backers CHECK (backers >= 0),
    CONSTRAINT pk_coin_totals PRIMARY KEY (idea_id)
) WITH (fillfactor = 50);
CREATE INDEX ix_coin_totals_campaign_id ON app.coin_totals (campaign_id);

-- One row: the progress of the aggregation. All transfers below `aggregated_xid` are in the totals. Transactions that
-- were committed by `marked_at` are below `marked_xid`, so when the aggregation has reached `marked_xid`, its totals
-- are as of `marked_at`. While an old transaction is open, `aggregated_at` does not advance.
CREATE TABLE app.coin_aggregations (
    is_singleton boolean NOT NULL DEFAULT true CONSTRAINT ck_coin_aggregations_is_singleton CHECK (is_singleton),
    aggregated_xid xid8 NOT NULL,
    aggregated_at timestamptz NOT NULL,
    marked_xid xid8 NOT NULL DEFAULT '0',
    marked_at timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT pk_coin_aggregations PRIMARY KEY (is_singleton)
);
INSERT INTO app.coin_aggregations (aggregated_xid, aggregated_at) VALUES ('0', clock_timestamp());

-- Coins moved per day, aggregated from the same transfers as the totals of ideas.
CREATE TABLE app.coin_flows_daily (
    campaign_id uuid NOT NULL,
    -- the day, in UTC, of the transfers' effective_at
    flowed_on date NOT NULL,
    kind text NOT NULL,
    coins bigint NOT NULL CONSTRAINT ck_coin_flows_daily_coins CHECK (coins >= 0),
    transfers bigint NOT NULL CONSTRAINT ck_coin_flows_daily_transfers CHECK (transfers >= 0),
    CONSTRAINT pk_coin_flows_daily PRIMARY KEY (campaign_id, flowed_on, kind)
) WITH (fillfactor = 50);

-- One chain per campaign. Transfers that no open transaction can precede are sealed into blocks; each block has the
-- hash of the block before. docs/ledger-export.md defines what is hashed, byte by byte, and what a chain proves. There
-- are no foreign keys, which would cost two look-ups per transfer: coins_seal writes the references and
-- coins_check_chain checks them.

-- A padded key of HMAC-SHA-256 (RFC 2104), which is computed with PostgreSQL's sha256(), because pgcrypto is not
-- available on every server, nor in the embedded one. The two padded keys of a chain are generated once.
CREATE FUNCTION app.coins_pad_key(p_key bytea, p_byte integer) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog AS $$
DECLARE
    v_pad bytea := p_key || decode(repeat('00', 64 - length(p_key)), 'hex');
BEGIN
    FOR i IN 0..63 LOOP
        v_pad := set_byte(v_pad, i, get_byte(v_pad, i) # p_byte);
    END LOOP;
    RETURN v_pad;
END $$;
REVOKE ALL ON FUNCTION app.coins_pad_key(bytea, integer) FROM PUBLIC;

CREATE TABLE app.coin_chains (
    campaign_id uuid NOT NULL,
    -- 256 random bits: without the key, a keyed hash identifies no person
    key bytea NOT NULL CONSTRAINT ck_coin_chains_key CHECK (length(key) = 32),
    inner_key bytea NOT NULL GENERATED ALWAYS AS (app.coins_pad_key(key, 54)) STORED,
    outer_key bytea NOT NULL GENERATED ALWAYS AS (app.coins_pad_key(key, 92)) STORED,
    height bigint NOT NULL DEFAULT 0 CONSTRAINT ck_coin_chains_height CHECK (height >= 0),
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
        CONSTRAINT ck_coin_chains_hash CHECK (length(hash) = 32),
    sealed_transfers bigint NOT NULL DEFAULT 0
        CONSTRAINT ck_coin_chains_sealed_transfers CHECK (sealed_transfers >= height),
    sealed_at timestamptz,
    CONSTRAINT pk_coin_chains PRIMARY KEY (campaign_id)
) WITH (fillfactor = 50);

CREATE TABLE app.coin_blocks (
    campaign_id uuid NOT NULL,
    height bigint NOT NULL CONSTRAINT ck_coin_blocks_height CHECK (height >= 1),
    previous_hash bytea NOT NULL CONSTRAINT ck_coin_blocks_previous_hash CHECK (length(previous_hash) = 32),
    hash bytea NOT NULL CONSTRAINT ck_coin_blocks_hash CHECK (length(hash) = 32),
    -- from the first block up to and including this one
    sealed_transfers bigint NOT NULL CONSTRAINT ck_coin_blocks_sealed_transfers CHECK (sealed_transfers >= height),
    sealed_at timestamptz NOT NULL,
    CONSTRAINT pk_coin_blocks PRIMARY KEY (campaign_id, height)
);

CREATE TABLE app.coin_block_transfers (
    campaign_id uuid NOT NULL,
    height bigint NOT NULL,
    position integer NOT NULL CONSTRAINT ck_coin_block_transfers_position CHECK (position >= 1),
    transfer_id uuid NOT NULL,
    hash bytea NOT NULL CONSTRAINT ck_coin_block_transfers_hash CHECK (length(hash) = 32),
    CONSTRAINT pk_coin_block_transfers PRIMARY KEY (campaign_id, height, position),
    CONSTRAINT uq_coin_block_transfers_transfer_id UNIQUE (transfer_id)
);

-- One row: the last sealed transfer of all campaigns, in the order of (xid, id).
CREATE TABLE app.coin_seals (
    is_singleton boolean NOT NULL DEFAULT true CONSTRAINT ck_coin_seals_is_singleton CHECK (is_singleton),
    sealed_xid xid8 NOT NULL,
    sealed_id uuid NOT NULL,
    CONSTRAINT pk_coin_seals PRIMARY KEY (is_singleton)
);
INSERT INTO app.coin_seals (sealed_xid, sealed_id) VALUES ('0', '00000000-0000-0000-0000-000000000000');

GRANT SELECT ON app.coin_policies, app.coin_ledgers, app.coin_targets, app.coin_accounts, app.coin_transfers,
    app.coin_postings, app.coin_keys, app.coin_settlements, app.coin_totals, app.coin_flows_daily,
    app.coin_aggregations TO ideamint_app;
GRANT SELECT ON app.coin_policies, app.coin_ledgers, app.coin_targets, app.coin_accounts, app.coin_postings
    TO ideamint_dbt;
GRANT SELECT (id, campaign_id, batch_id, kind, actor_id, reverses_id, effective_at, recorded_at, xid)
    ON app.coin_transfers TO ideamint_dbt;
-- The key is not granted: with it, a member's hash could be found by trying all members.
GRANT SELECT (campaign_id, height, hash, sealed_transfers, sealed_at) ON app.coin_chains TO ideamint_app, ideamint_dbt;
GRANT SELECT ON app.coin_blocks, app.coin_block_transfers, app.coin_seals TO ideamint_app;
