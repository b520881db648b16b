select
    id as idea_valuation_id,
    idea_id,
    kind,
    amount,
    valued_on,
    recorded_at,
    cast(currency as text) as currency
from {{ source('app', 'idea_valuations') }}
