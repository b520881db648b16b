select
    campaign_id,
    version,
    coins_per_member,
    coins_per_allocation_min,
    coins_per_member_and_idea_max,
    allocation_opens_at,
    allocate_until
from {{ source('app', 'coin_policies') }}
