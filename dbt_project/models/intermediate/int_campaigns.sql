-- Campaigns at the start of the build. The tables change while the build runs, so each model reads newer rows than
-- the previous one. Later models join this model and int_ideas, which excludes newer campaigns and ideas.
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
