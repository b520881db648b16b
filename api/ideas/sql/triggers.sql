CREATE TRIGGER idea_status_changes_append_only BEFORE UPDATE OR DELETE ON app.idea_status_changes
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER idea_valuations_append_only BEFORE UPDATE OR DELETE ON app.idea_valuations
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
