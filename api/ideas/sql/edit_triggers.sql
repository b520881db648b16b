-- What was submitted as anonymous stays anonymous, and what was shown is not hidden afterwards. Marks never change.
CREATE TRIGGER ideas_anonymity_fixed BEFORE UPDATE OF is_anonymous ON app.ideas
    FOR EACH ROW WHEN (OLD.status <> 'draft' AND OLD.is_anonymous <> NEW.is_anonymous)
    EXECUTE FUNCTION app.refuse_change();
CREATE TRIGGER idea_material_edits_append_only BEFORE UPDATE OR DELETE ON app.idea_material_edits
    FOR EACH ROW EXECUTE FUNCTION app.refuse_change();
