-- Without suppressed campaigns.
select
    activity.campaign_id,
    activity.user_id,
    activity.activity_on,
    activity.allocations,
    activity.coins_placed,
    activity.coins_taken_back,
    activity.ideas_submitted
from {{ ref('int_member_activity') }} as activity
inner join {{ ref('int_campaign_sizes') }} as sizes
    on activity.campaign_id = sizes.campaign_id and sizes.moment = 'now' and not sizes.is_suppressed
