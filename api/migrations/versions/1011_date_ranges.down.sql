ALTER TABLE app.idea_valuations DROP CONSTRAINT ck_idea_valuations_years;
ALTER TABLE app.coin_policies DROP CONSTRAINT ck_coin_policies_years;
ALTER TABLE app.coin_ledgers DROP CONSTRAINT ck_coin_ledgers_years;
ALTER TABLE app.campaigns DROP CONSTRAINT ck_campaigns_years;
