-- Every row fits, since the check accepts what the earlier one did. Readers and writers do not wait for this.
ALTER TABLE app.events VALIDATE CONSTRAINT ck_events_kind;
ALTER TABLE app.coin_targets VALIDATE CONSTRAINT ck_coin_targets_grace;
ALTER TABLE app.ideas VALIDATE CONSTRAINT ck_ideas_is_anonymous;
ALTER TABLE app.join_requests VALIDATE CONSTRAINT ck_join_requests_status;
