DO $$ BEGIN
    IF EXISTS (
        SELECT t.id FROM app.campaign_tags AS t
        UNION ALL SELECT r.campaign_id FROM app.rejection_reasons AS r
        UNION ALL SELECT c.id FROM app.idea_change_requests AS c
        UNION ALL SELECT i.id FROM app.ideas AS i WHERE i.reason_code IS NOT NULL OR i.resubmitted_from_id IS NOT NULL
    ) THEN
        RAISE EXCEPTION 'there are tags, reasons, change requests or resubmissions, which would be lost; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.ideas WHERE status = 'draft') THEN
        RAISE EXCEPTION 'app.ideas holds drafts, which the earlier release would show; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.idea_versions) THEN
        RAISE EXCEPTION 'app.idea_versions holds earlier texts of ideas, which would be lost; not downgraded';
    END IF;
END $$;
REVOKE DELETE ON app.ideas FROM ideamint_app;
REVOKE UPDATE (name) ON app.idea_tags FROM ideamint_app;
ALTER TABLE app.idea_tags DROP COLUMN tag_id;
DROP TABLE app.idea_change_requests, app.rejection_reasons, app.idea_versions, app.campaign_tags;
ALTER TABLE app.idea_status_changes DROP COLUMN reason_code;
DROP INDEX app.ix_ideas_pending;
ALTER TABLE app.ideas
    DROP COLUMN resubmitted_from_id,
    DROP COLUMN edit_number,
    DROP COLUMN changes_requested_at,
    DROP COLUMN reason_code,
    DROP CONSTRAINT ck_ideas_status,
    ADD CONSTRAINT ck_ideas_status CHECK (status IN (
        'pending', 'competing', 'accepted', 'in_progress', 'complete',
        'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown'
    ));
