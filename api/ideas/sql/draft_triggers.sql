-- Only drafts are deleted, and what was submitted is never a draft again. Versions are never changed.
CREATE TRIGGER ideas_delete_drafts_only BEFORE DELETE ON app.ideas
    FOR EACH ROW WHEN (OLD.status <> 'draft') EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER ideas_submitted_once BEFORE UPDATE OF status ON app.ideas
    FOR EACH ROW WHEN (NEW.status = 'draft' AND OLD.status <> 'draft') EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER idea_versions_append_only BEFORE UPDATE OR DELETE ON app.idea_versions
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
