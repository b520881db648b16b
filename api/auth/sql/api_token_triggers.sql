CREATE TRIGGER api_tokens_record_end AFTER UPDATE ON app.api_tokens FOR EACH ROW
WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION app.auth_record_api_token_end();

CREATE TRIGGER api_tokens_record_deletion AFTER DELETE ON app.api_tokens FOR EACH ROW
WHEN (OLD.revoked_at IS NULL) EXECUTE FUNCTION app.auth_record_api_token_end();

CREATE TRIGGER users_revoke_api_tokens AFTER UPDATE ON app.users FOR EACH ROW
WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION app.auth_revoke_api_tokens();

CREATE TRIGGER service_accounts_revoke_api_tokens AFTER UPDATE ON app.service_accounts FOR EACH ROW
WHEN (OLD.is_active AND NOT NEW.is_active) EXECUTE FUNCTION app.auth_revoke_api_tokens();

CREATE TRIGGER service_accounts_raise_token_version BEFORE UPDATE ON app.service_accounts FOR EACH ROW
WHEN (
    OLD.scopes IS DISTINCT FROM NEW.scopes
    OR OLD.is_active IS DISTINCT FROM NEW.is_active
) EXECUTE FUNCTION app.auth_raise_token_version();

CREATE TRIGGER service_accounts_record_token_version AFTER UPDATE ON app.service_accounts FOR EACH ROW
WHEN (OLD.token_version IS DISTINCT FROM NEW.token_version) EXECUTE FUNCTION app.auth_record_token_version();
