-- Campaigns as they stood when the build came by first. People go on while it runs, and each model sees more than the
-- one before: all that comes later joins to this and to int_ideas, and what is newer than they are waits for the next
-- build.
select
    campaign_id,
    slug,
    title,
    status,
    origin,
    is_mediated,
    budget_amount,
    eligible_people,
    starts_at,
    submissions_close_at,
    ends_at,
    activated_at,
    completed_at,
    created_at,
    currency,
    is_imported,
    ballot_type,
    country,
    unit
from {{ ref('stg_app__campaigns') }}
