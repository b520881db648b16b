CREATE CONSTRAINT TRIGGER coin_transfers_zero_sum AFTER INSERT ON app.coin_transfers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.coins_check_zero_sum();

CREATE TRIGGER coin_transfers_append_only BEFORE UPDATE OR DELETE ON app.coin_transfers
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_postings_append_only BEFORE UPDATE OR DELETE ON app.coin_postings
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_keys_append_only BEFORE UPDATE OR DELETE ON app.coin_keys
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_policies_append_only BEFORE UPDATE ON app.coin_policies
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_policies_no_delete BEFORE DELETE ON app.coin_policies
    FOR EACH ROW EXECUTE FUNCTION app.coins_refuse_deletion();
CREATE TRIGGER coin_accounts_no_delete BEFORE DELETE ON app.coin_accounts
    FOR EACH ROW EXECUTE FUNCTION app.coins_refuse_deletion();
CREATE TRIGGER coin_transfers_no_truncate BEFORE TRUNCATE ON app.coin_transfers
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_postings_no_truncate BEFORE TRUNCATE ON app.coin_postings
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_settlements_record_settled AFTER UPDATE OF finished_at ON app.coin_settlements FOR EACH ROW
    WHEN (OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL AND NEW.requested_at < transaction_timestamp())
    EXECUTE FUNCTION app.coins_record_settled();
CREATE TRIGGER coin_chains_immutable_key BEFORE UPDATE ON app.coin_chains
    FOR EACH ROW WHEN (OLD.key <> NEW.key OR OLD.campaign_id <> NEW.campaign_id)
    EXECUTE FUNCTION app.coins_refuse_key_change();
CREATE TRIGGER coin_chains_no_delete BEFORE DELETE ON app.coin_chains
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_blocks_append_only BEFORE UPDATE OR DELETE ON app.coin_blocks
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_block_transfers_append_only BEFORE UPDATE OR DELETE ON app.coin_block_transfers
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_seals_no_delete BEFORE DELETE ON app.coin_seals
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_chains_no_truncate BEFORE TRUNCATE ON app.coin_chains
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_blocks_no_truncate BEFORE TRUNCATE ON app.coin_blocks
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_block_transfers_no_truncate BEFORE TRUNCATE ON app.coin_block_transfers
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER coin_seals_no_truncate BEFORE TRUNCATE ON app.coin_seals
    FOR EACH STATEMENT EXECUTE FUNCTION app.refuse_change();
