DROP INDEX app.ix_events_audit;
DROP INDEX app.ix_events_actor_id;
DROP INDEX app.ix_events_user_id;
DROP INDEX app.ix_events_audit_campaign_id;
DROP INDEX app.ix_events_idea_id;
DROP INDEX app.ix_events_kind;
DROP INDEX app.ix_events_address;
DROP INDEX app.ix_events_token_id;
