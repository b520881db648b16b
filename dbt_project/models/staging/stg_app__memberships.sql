select
    id as membership_id,
    campaign_id,
    user_id,
    role,
    joined_at,
    left_at,
    attributes
from {{ source('app', 'memberships') }}
