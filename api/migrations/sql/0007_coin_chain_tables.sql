-- A chain a campaign: transfers that nobody can commit before any more are sealed into blocks, each with the hash of the
-- block before. docs/ledger-export.md says what is hashed, to the byte, and what a chain proves. No foreign keys: they
-- would be two look-ups a transfer, and what they would hold is held by coins_seal and looked at by coins_check_chain.

-- HMAC-SHA-256 (RFC 2104) from PostgreSQL's own sha256(): pgcrypto is not on every server, nor in the embedded one. Of a
-- key it takes two paddings, which are made once a chain.
CREATE FUNCTION app.coins_pad_key(p_key bytea, p_byte integer) RETURNS bytea
LANGUAGE plpgsql IMMUTABLE STRICT AS $$
DECLARE
    v_pad bytea := p_key || decode(repeat('00', 64 - length(p_key)), 'hex');
BEGIN
    FOR i IN 0..63 LOOP
        v_pad := set_byte(v_pad, i, get_byte(v_pad, i) # p_byte);
    END LOOP;
    RETURN v_pad;
END $$;

CREATE TABLE app.coin_chains (
    campaign_id uuid NOT NULL,
    -- 256 random bits; what was hashed under it names nobody to who has not got it
    key bytea NOT NULL CONSTRAINT ck_coin_chains_key CHECK (length(key) = 32),
    inner_key bytea NOT NULL GENERATED ALWAYS AS (app.coins_pad_key(key, 54)) STORED,
    outer_key bytea NOT NULL GENERATED ALWAYS AS (app.coins_pad_key(key, 92)) STORED,
    height bigint NOT NULL DEFAULT 0 CONSTRAINT ck_coin_chains_height CHECK (height >= 0),
    hash bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex')
        CONSTRAINT ck_coin_chains_hash CHECK (length(hash) = 32),
    sealed_transfers bigint NOT NULL DEFAULT 0 CONSTRAINT ck_coin_chains_sealed_transfers CHECK (sealed_transfers >= height),
    sealed_at timestamptz,
    CONSTRAINT pk_coin_chains PRIMARY KEY (campaign_id)
) WITH (fillfactor = 50);

CREATE TABLE app.coin_blocks (
    campaign_id uuid NOT NULL,
    height bigint NOT NULL CONSTRAINT ck_coin_blocks_height CHECK (height >= 1),
    previous_hash bytea NOT NULL CONSTRAINT ck_coin_blocks_previous_hash CHECK (length(previous_hash) = 32),
    hash bytea NOT NULL CONSTRAINT ck_coin_blocks_hash CHECK (length(hash) = 32),
    -- with this block, from the beginning
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

-- Up to where everything is sealed, of all campaigns: the last transfer in the order of (xid, id).
CREATE TABLE app.coin_seals (
    is_only boolean NOT NULL DEFAULT true CONSTRAINT ck_coin_seals_is_only CHECK (is_only),
    sealed_xid xid8 NOT NULL,
    sealed_id uuid NOT NULL,
    CONSTRAINT pk_coin_seals PRIMARY KEY (is_only)
);
INSERT INTO app.coin_seals (sealed_xid, sealed_id) VALUES ('0', '00000000-0000-0000-0000-000000000000');

CREATE FUNCTION app.coins_keep_key() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the key of a chain stays as it is: another one would make every sealed transfer look altered'
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER coin_chains_key_stays BEFORE UPDATE ON app.coin_chains
    FOR EACH ROW WHEN (OLD.key <> NEW.key OR OLD.campaign_id <> NEW.campaign_id) EXECUTE FUNCTION app.coins_keep_key();
CREATE TRIGGER coin_chains_stay BEFORE DELETE ON app.coin_chains
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_blocks_append_only BEFORE UPDATE OR DELETE ON app.coin_blocks
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_block_transfers_append_only BEFORE UPDATE OR DELETE ON app.coin_block_transfers
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_seals_stay BEFORE DELETE ON app.coin_seals
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_chains_not_emptied BEFORE TRUNCATE ON app.coin_chains
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_blocks_not_emptied BEFORE TRUNCATE ON app.coin_blocks
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_block_transfers_not_emptied BEFORE TRUNCATE ON app.coin_block_transfers
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_seals_not_emptied BEFORE TRUNCATE ON app.coin_seals
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();

-- Never the key: with it a member's hash is found by trying all members.
GRANT SELECT (campaign_id, height, hash, sealed_transfers, sealed_at) ON app.coin_chains TO ideamint_app, ideamint_dbt;
GRANT SELECT ON app.coin_blocks, app.coin_block_transfers, app.coin_seals TO ideamint_app;
