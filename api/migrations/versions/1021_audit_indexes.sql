-- The audit lists events by id, newest first. Movements of coins are not in it, and have no entries in its indexes.
CREATE INDEX ix_events_audit ON app.events (id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back');
CREATE INDEX ix_events_actor_id ON app.events (actor_id, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back');
CREATE INDEX ix_events_user_id ON app.events (user_id, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back');
CREATE INDEX ix_events_audit_campaign_id ON app.events (campaign_id, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back');
CREATE INDEX ix_events_idea_id ON app.events (idea_id, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back') AND idea_id IS NOT NULL;
CREATE INDEX ix_events_kind ON app.events (kind, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back');
CREATE INDEX ix_events_address ON app.events (address, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back') AND address IS NOT NULL;
CREATE INDEX ix_events_token_id ON app.events (token_id, id)
WHERE kind NOT IN ('coins_allocated', 'coins_reallocated', 'coins_taken_back') AND token_id IS NOT NULL;
