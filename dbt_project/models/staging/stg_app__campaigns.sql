select
    id as campaign_id,
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
    source,
    cast(currency as text) as currency,
    origin = 'imported' as is_imported
from {{ source('app', 'campaigns') }}
