CREATE TRIGGER ideas_note_new AFTER INSERT ON app.ideas
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.ideas_note_new();
-- a row of totals is inserted with zeros and then updated
CREATE TRIGGER coin_totals_note_ideas AFTER UPDATE ON app.coin_totals
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION app.ideas_note_totals();
CREATE TRIGGER coin_targets_note_ideas AFTER UPDATE ON app.coin_targets
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION app.ideas_note_targets();
CREATE TRIGGER comments_note_added AFTER INSERT ON app.comments
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION app.ideas_note_activity();
CREATE TRIGGER comments_note_changed AFTER UPDATE ON app.comments
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION app.ideas_note_activity();
CREATE TRIGGER comments_note_removed AFTER DELETE ON app.comments
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION app.ideas_note_activity();
CREATE TRIGGER idea_milestones_note_added AFTER INSERT ON app.idea_milestones
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION app.ideas_note_activity();
CREATE TRIGGER idea_milestones_note_changed AFTER UPDATE ON app.idea_milestones
    REFERENCING NEW TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION app.ideas_note_activity();
CREATE TRIGGER idea_milestones_note_removed AFTER DELETE ON app.idea_milestones
    REFERENCING OLD TABLE AS changed_rows FOR EACH STATEMENT EXECUTE FUNCTION app.ideas_note_activity();
