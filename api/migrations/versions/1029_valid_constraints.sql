-- Every row fits, since each check accepts what the earlier one did. Readers and writers do not wait for this.
ALTER TABLE app.events VALIDATE CONSTRAINT ck_events_kind;
ALTER TABLE app.ideas
    VALIDATE CONSTRAINT ck_ideas_status,
    VALIDATE CONSTRAINT ck_ideas_resubmitted_from_id,
    VALIDATE CONSTRAINT fk_ideas_resubmitted_from_id_ideas;
ALTER TABLE app.idea_tags VALIDATE CONSTRAINT fk_idea_tags_tag_id_campaign_tags;
ALTER TABLE app.idea_status_changes VALIDATE CONSTRAINT ck_idea_status_changes_reason_code;
