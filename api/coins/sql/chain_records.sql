-- The sealed record of a transfer and its hash. docs/ledger-export.md describes this file.

CREATE OR REPLACE FUNCTION app.coins_hmac(p_inner_key bytea, p_outer_key bytea, p_text text) RETURNS text
LANGUAGE sql STABLE STRICT
RETURN encode(sha256(p_outer_key || sha256(p_inner_key || convert_to(p_text, 'UTF8'))), 'hex');
REVOKE ALL ON FUNCTION app.coins_hmac(bytea, bytea, text) FROM PUBLIC;

CREATE OR REPLACE FUNCTION app.coins_epoch_us(p_moment timestamptz) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT
RETURN (extract(EPOCH FROM p_moment) * 1000000)::bigint;
REVOKE ALL ON FUNCTION app.coins_epoch_us(timestamptz) FROM PUBLIC;

-- One row per transfer with its postings and their accounts. People and free text are keyed hashes; `hash` is the
-- SHA-256 of the row. Missing values are null, so that a transfer without a posting has a record too, with a different
-- hash.
CREATE VIEW app.coin_records AS
SELECT
    r.id, r.campaign_id, r.batch_id, r.kind, r.actor, r.reason, r.reverses_id, r.effective_at, r.recorded_at, r.xid,
    r.debit_account, r.debit_idea_id, r.debit_member, r.debit_coins, r.debit_version, r.debit_balance_coins,
    r.debit_effective_at,
    r.credit_account, r.credit_idea_id, r.credit_member, r.credit_coins, r.credit_version, r.credit_balance_coins,
    r.credit_effective_at,
    sha256(convert_to(array_to_string(ARRAY[
    'ideamint.transfer.1',
    r.id::text, r.campaign_id::text, r.batch_id::text, r.kind, r.actor, r.reason, r.reverses_id::text,
    r.effective_at::text, r.recorded_at::text, r.xid::text,
    r.debit_account, r.debit_idea_id::text, r.debit_member, r.debit_coins::text, r.debit_version::text,
    r.debit_balance_coins::text, r.debit_effective_at::text,
    r.credit_account, r.credit_idea_id::text, r.credit_member, r.credit_coins::text, r.credit_version::text,
    r.credit_balance_coins::text, r.credit_effective_at::text
], '|', ''), 'UTF8')) AS hash
FROM (
    SELECT t.id, t.campaign_id, t.batch_id, t.kind,
        -- different prefixes: otherwise a reason with the text of a member's id would have the hash of that member
        app.coins_hmac(c.inner_key, c.outer_key, 'member|' || t.actor_id) AS actor,
        app.coins_hmac(c.inner_key, c.outer_key, 'reason|' || t.reason) AS reason,
        t.reverses_id,
        app.coins_epoch_us(t.effective_at) AS effective_at,
        app.coins_epoch_us(t.recorded_at) AS recorded_at,
        t.xid::text::bigint AS xid,
        d.kind AS debit_account,
        d.idea_id AS debit_idea_id,
        app.coins_hmac(c.inner_key, c.outer_key, 'member|' || d.user_id) AS debit_member,
        dp.amount_coins AS debit_coins,
        dp.account_version AS debit_version,
        dp.balance_after_coins AS debit_balance_coins,
        app.coins_epoch_us(dp.effective_at) AS debit_effective_at,
        k.kind AS credit_account,
        k.idea_id AS credit_idea_id,
        app.coins_hmac(c.inner_key, c.outer_key, 'member|' || k.user_id) AS credit_member,
        kp.amount_coins AS credit_coins,
        kp.account_version AS credit_version,
        kp.balance_after_coins AS credit_balance_coins,
        app.coins_epoch_us(kp.effective_at) AS credit_effective_at
    FROM app.coin_transfers AS t
    LEFT JOIN app.coin_chains AS c ON c.campaign_id = t.campaign_id
    LEFT JOIN app.coin_postings AS dp ON dp.transfer_id = t.id AND dp.side = -1
    LEFT JOIN app.coin_accounts AS d ON d.id = dp.account_id
    LEFT JOIN app.coin_postings AS kp ON kp.transfer_id = t.id AND kp.side = 1
    LEFT JOIN app.coin_accounts AS k ON k.id = kp.account_id
) AS r;
REVOKE ALL ON app.coin_records FROM PUBLIC;

-- The hash of a block. `p_hashes` are the hashes of its transfers in order, in hexadecimal and joined by '|'.
CREATE OR REPLACE FUNCTION app.coins_hash_block(
    p_campaign_id uuid, p_height bigint, p_previous_hash bytea, p_sealed_at timestamptz, p_hashes text
) RETURNS bytea
LANGUAGE sql STABLE STRICT
RETURN sha256(convert_to(
    'ideamint.block.1|' || p_campaign_id || '|' || p_height || '|' || encode(p_previous_hash, 'hex') || '|'
    || app.coins_epoch_us(p_sealed_at) || '|' || p_hashes, 'UTF8'
));
REVOKE ALL ON FUNCTION app.coins_hash_block(uuid, bigint, bytea, timestamptz, text) FROM PUBLIC;
