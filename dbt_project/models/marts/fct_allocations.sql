select
    transfer_id,
    campaign_id,
    idea_id,
    user_id,
    kind,
    coins,
    effective_at,
    effective_on,
    is_settlement,
    settlement
from {{ ref('int_allocations') }}
