-- Dates are in the years 1900 to 2200 of UTC, as api.kernel.dates requires of every request and imported file.

-- Older rows may have other years. Such a date moves to the nearest one inside: past dates stay past, future ones stay
-- future, and their order is kept.
UPDATE app.campaigns
SET starts_at = greatest(least(starts_at, '2200-12-31T23:59:59Z'), '1900-01-01T00:00:00Z'),
    submissions_close_at = greatest(least(submissions_close_at, '2200-12-31T23:59:59Z'), '1900-01-01T00:00:00Z'),
    ends_at = greatest(least(ends_at, '2200-12-31T23:59:59Z'), '1900-01-01T00:00:00Z'),
    decide_by = greatest(least(decide_by, '2200-12-31T23:59:59Z'), '1900-01-01T00:00:00Z')
WHERE least(starts_at, submissions_close_at, ends_at, decide_by) < '1900-01-01T00:00:00Z'
    OR greatest(starts_at, submissions_close_at, ends_at, decide_by) >= '2201-01-01T00:00:00Z';
UPDATE app.coin_ledgers
SET opens_at = greatest(least(opens_at, '2200-12-31T23:59:59Z'), '1900-01-01T00:00:00Z'),
    closes_at = greatest(least(closes_at, '2200-12-31T23:59:59Z'), '1900-01-01T00:00:00Z')
WHERE least(opens_at, closes_at) < '1900-01-01T00:00:00Z' OR greatest(opens_at, closes_at) >= '2201-01-01T00:00:00Z';

ALTER TABLE app.campaigns
    ADD CONSTRAINT ck_campaigns_years CHECK (
        least(starts_at, submissions_close_at, ends_at, decide_by) >= '1900-01-01T00:00:00Z'
        AND greatest(starts_at, submissions_close_at, ends_at, decide_by) < '2201-01-01T00:00:00Z'
    );
ALTER TABLE app.coin_ledgers
    ADD CONSTRAINT ck_coin_ledgers_years CHECK (
        least(opens_at, closes_at) >= '1900-01-01T00:00:00Z' AND greatest(opens_at, closes_at) < '2201-01-01T00:00:00Z'
    );
-- Rows of these tables never change. An older one with another year is left as it is, and the check holds for new rows.
ALTER TABLE app.coin_policies
    ADD CONSTRAINT ck_coin_policies_years CHECK (
        least(allocation_opens_at, allocate_until) >= '1900-01-01T00:00:00Z'
        AND greatest(allocation_opens_at, allocate_until) < '2201-01-01T00:00:00Z'
    ) NOT VALID;
ALTER TABLE app.idea_valuations
    ADD CONSTRAINT ck_idea_valuations_years CHECK (
        valued_on >= '1900-01-01' AND valued_on < '2201-01-01'
    ) NOT VALID;
DO $$ BEGIN
    IF NOT EXISTS (
        SELECT FROM app.coin_policies
        WHERE least(allocation_opens_at, allocate_until) < '1900-01-01T00:00:00Z'
            OR greatest(allocation_opens_at, allocate_until) >= '2201-01-01T00:00:00Z'
    ) THEN
        ALTER TABLE app.coin_policies VALIDATE CONSTRAINT ck_coin_policies_years;
    END IF;
    IF NOT EXISTS (
        SELECT FROM app.idea_valuations WHERE valued_on < '1900-01-01' OR valued_on >= '2201-01-01'
    ) THEN
        ALTER TABLE app.idea_valuations VALIDATE CONSTRAINT ck_idea_valuations_years;
    END IF;
END $$;
