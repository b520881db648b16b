-- Members who had placed coins on an idea or submitted one by the moment. Coins that were taken back still count.
with actions as (
    select
        campaign_id,
        user_id,
        effective_at as acted_at
    from {{ ref('int_allocations') }}
    where coins > 0 and not is_settlement and not is_merge
    union all
    select
        campaign_id,
        author_id as user_id,
        submitted_at as acted_at
    from {{ ref('int_ideas') }}
    where author_id is not null
),

first_actions as (
    select
        campaign_id,
        user_id,
        min(acted_at) as first_acted_at
    from actions
    group by campaign_id, user_id
)

select
    moments.moment,
    first_actions.campaign_id,
    first_actions.user_id
from first_actions
inner join {{ ref('int_campaigns') }} as campaigns
    on first_actions.campaign_id = campaigns.campaign_id
inner join {{ ref('int_moments') }} as moments
    on moments.moment = 'now' or (not campaigns.is_imported and first_actions.first_acted_at <= moments.taken_at)
