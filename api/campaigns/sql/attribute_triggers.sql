CREATE TRIGGER memberships_check_attributes_of_new AFTER INSERT ON app.memberships
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION app.memberships_check_attributes();
CREATE TRIGGER memberships_check_attributes_of_changed AFTER UPDATE ON app.memberships
    REFERENCING OLD TABLE AS removed NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION app.memberships_check_attributes();
CREATE TRIGGER member_attributes_check_values AFTER INSERT OR UPDATE OF kind, options ON app.member_attributes
    FOR EACH ROW EXECUTE FUNCTION app.member_attributes_check_values();
