-- Every row fits, since the checks accept what the earlier ones did. Readers and writers do not wait for this.
ALTER TABLE app.coin_transfers VALIDATE CONSTRAINT ck_coin_transfers_kind;
ALTER TABLE app.ideas
    VALIDATE CONSTRAINT ck_ideas_status,
    VALIDATE CONSTRAINT fk_ideas_merged_into_id_ideas,
    VALIDATE CONSTRAINT ck_ideas_merged_into_id;
ALTER TABLE app.idea_status_changes
    VALIDATE CONSTRAINT ck_idea_status_changes_from_status,
    VALIDATE CONSTRAINT ck_idea_status_changes_to_status;
ALTER TABLE app.events VALIDATE CONSTRAINT ck_events_kind;
