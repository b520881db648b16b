CREATE TRIGGER users_raise_token_version BEFORE UPDATE ON app.users FOR EACH ROW
WHEN (
    OLD.roles IS DISTINCT FROM NEW.roles
    OR OLD.permissions IS DISTINCT FROM NEW.permissions
    OR OLD.is_active IS DISTINCT FROM NEW.is_active
) EXECUTE FUNCTION app.auth_raise_token_version();

CREATE TRIGGER users_record_token_version AFTER UPDATE ON app.users FOR EACH ROW
WHEN (OLD.token_version IS DISTINCT FROM NEW.token_version) EXECUTE FUNCTION app.auth_record_token_version();

CREATE TRIGGER sessions_record_end AFTER UPDATE ON app.sessions FOR EACH ROW
WHEN (OLD.revoked_at IS NULL AND NEW.revoked_at IS NOT NULL) EXECUTE FUNCTION app.auth_record_session_end();

CREATE TRIGGER sessions_record_deletion AFTER DELETE ON app.sessions FOR EACH ROW
WHEN (OLD.revoked_at IS NULL) EXECUTE FUNCTION app.auth_record_session_end();
