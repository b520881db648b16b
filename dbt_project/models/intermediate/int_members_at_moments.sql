select
    moments.moment,
    memberships.campaign_id,
    memberships.user_id
from {{ ref('int_moments') }} as moments
inner join {{ ref('stg_app__memberships') }} as memberships
    on
        (memberships.joined_at <= moments.taken_at or moments.moment = 'now')
        and (memberships.left_at is null or (memberships.left_at > moments.taken_at and moments.moment <> 'now'))
inner join {{ ref('int_campaigns') }} as campaigns
    on memberships.campaign_id = campaigns.campaign_id
where memberships.role is distinct from 'observer' and (moments.moment = 'now' or not campaigns.is_imported)
