CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE ON app.events
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
