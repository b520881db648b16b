select
    campaign_id,
    user_id,
    activity_on,
    allocations,
    coins_placed,
    coins_taken_back,
    ideas_submitted
from {{ ref('int_member_activity') }}
