-- Hot tables carry campaign_id, user_id and idea_id without foreign keys: a key-share lock on one campaign's or one
-- idea's row is a lock that everybody shares. What the keys would have held is held by the only functions that write.

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
    -- null while open, and while closed with stakes that are still on their way
    settled_at timestamptz,
    CONSTRAINT pk_coin_targets PRIMARY KEY (idea_id),
    CONSTRAINT ck_coin_targets_settled_after_closed CHECK (settled_at IS NULL OR NOT is_open),
    CONSTRAINT ck_coin_targets_closed_is_settled
        CHECK (is_open = (closed_at IS NULL) AND is_open = (settled_coins IS NULL) AND is_open = (settled_backers IS NULL))
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
        CHECK ((user_id IS NOT NULL) = (kind IN ('wallet', 'held', 'stake')) AND (idea_id IS NOT NULL) = (kind = 'stake')),
    -- mint, carried_in, expired and carried_out keep no balance: it would be one row that everybody updates
    CONSTRAINT ck_coin_accounts_balance_kept CHECK ((balance_coins IS NOT NULL) = (kind IN ('wallet', 'held', 'stake'))),
    CONSTRAINT ck_coin_accounts_no_overdraft CHECK (balance_coins BETWEEN 0 AND 1000000000000)
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX uq_coin_accounts_ledger ON app.coin_accounts (campaign_id, kind) WHERE user_id IS NULL;
CREATE UNIQUE INDEX uq_coin_accounts_wallet ON app.coin_accounts (campaign_id, user_id) WHERE kind = 'wallet';
CREATE UNIQUE INDEX uq_coin_accounts_held ON app.coin_accounts (campaign_id, user_id) WHERE kind = 'held';
-- one index for an idea's stakes and for a member's: beside one on the idea alone, the planner finds a member's stake by
-- reading all of the idea's
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
    CONSTRAINT ck_coin_transfers_reverse_names_its_cause CHECK ((kind = 'reverse') = (reverses_id IS NOT NULL))
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
    -- at most one debit and one credit a transfer; that both exist and cancel out is the deferred trigger's
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

-- Fires for each transfer, at COMMIT. Only look-ups by key: a plan made while the tables were small would read all of
-- them for each transfer of a large transaction (9 minutes for an import of 69,000 transfers, against 5 s).
-- Returns and the end of a campaign touch wallets, so they are carried out some at a time, each in a transaction of its
-- own, from where the last one stopped: stakes by idea and member, then wallets by member. Conserved at each step.
CREATE TABLE app.coin_settlements (
    id uuid NOT NULL DEFAULT app.uuid7(),
    campaign_id uuid NOT NULL,
    kind text NOT NULL CONSTRAINT ck_coin_settlements_kind CHECK (kind IN ('return', 'settle')),
    idea_ids uuid[] NOT NULL,
    has_wallets boolean NOT NULL,
    actor_id uuid,
    reason text,
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

-- Totals of many ideas, folded from the postings in the background. One idea's exact total is summed from its stakes.
CREATE TABLE app.coin_totals (
    idea_id uuid NOT NULL,
    campaign_id uuid NOT NULL,
    coins bigint NOT NULL CONSTRAINT ck_coin_totals_coins CHECK (coins >= 0),
    backers integer NOT NULL CONSTRAINT ck_coin_totals_backers CHECK (backers >= 0),
    CONSTRAINT pk_coin_totals PRIMARY KEY (idea_id)
) WITH (fillfactor = 50);
CREATE INDEX ix_coin_totals_campaign_id ON app.coin_totals (campaign_id);
CREATE TABLE app.coin_folds (
    is_only boolean NOT NULL DEFAULT true CONSTRAINT ck_coin_folds_is_only CHECK (is_only),
    folded_xid xid8 NOT NULL,
    folded_at timestamptz NOT NULL,
    CONSTRAINT pk_coin_folds PRIMARY KEY (is_only)
);
INSERT INTO app.coin_folds (folded_xid, folded_at) VALUES ('0', clock_timestamp());

CREATE FUNCTION app.coins_check_zero_sum() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_postings integer;
    v_sum bigint;
BEGIN
    SELECT count(*) FILTER (
        WHERE (SELECT a.campaign_id FROM coin_accounts AS a WHERE a.id = p.account_id) = NEW.campaign_id
    ), sum(p.amount_coins) INTO v_postings, v_sum
    FROM coin_postings AS p
    WHERE p.transfer_id = NEW.id;
    IF v_postings <> 2 OR v_sum <> 0 THEN
        RAISE EXCEPTION 'transfer % has % postings within its campaign that sum to %, not 2 that sum to 0',
            NEW.id, v_postings, coalesce(v_sum, 0)
            USING ERRCODE = 'check_violation', CONSTRAINT = 'coin_transfers_zero_sum', TABLE = 'coin_transfers';
    END IF;
    RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER coin_transfers_zero_sum AFTER INSERT ON app.coin_transfers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.coins_check_zero_sum();

CREATE TRIGGER coin_transfers_append_only BEFORE UPDATE OR DELETE ON app.coin_transfers
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_postings_append_only BEFORE UPDATE OR DELETE ON app.coin_postings
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_keys_append_only BEFORE UPDATE OR DELETE ON app.coin_keys
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_policies_append_only BEFORE UPDATE OR DELETE ON app.coin_policies
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_accounts_stay BEFORE DELETE ON app.coin_accounts
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_transfers_not_emptied BEFORE TRUNCATE ON app.coin_transfers
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_postings_not_emptied BEFORE TRUNCATE ON app.coin_postings
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();

GRANT SELECT ON app.coin_policies, app.coin_ledgers, app.coin_targets, app.coin_accounts, app.coin_transfers,
    app.coin_postings, app.coin_keys, app.coin_settlements, app.coin_totals, app.coin_folds TO ideamint_app;
GRANT SELECT ON app.coin_policies, app.coin_ledgers, app.coin_targets, app.coin_accounts, app.coin_postings
    TO ideamint_dbt;
GRANT SELECT (id, campaign_id, batch_id, kind, actor_id, reverses_id, effective_at, recorded_at, xid)
    ON app.coin_transfers TO ideamint_dbt;
