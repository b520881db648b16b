-- Who placed coins on an idea or submitted one, by then. Coins taken back again still count: the member took part.
with deeds as (
    select
        campaign_id,
        user_id,
        effective_at as done_at
    from {{ ref('fct_allocations') }}
    where coins > 0 and not is_settlement
    union all
    select
        campaign_id,
        author_id as user_id,
        submitted_at as done_at
    from {{ ref('int_ideas') }}
    where author_id is not null
),

first_deeds as (
    select
        campaign_id,
        user_id,
        min(done_at) as first_done_at
    from deeds
    group by campaign_id, user_id
)

select
    moments.moment,
    first_deeds.campaign_id,
    first_deeds.user_id
from first_deeds
inner join {{ ref('int_campaigns') }} as campaigns
    on first_deeds.campaign_id = campaigns.campaign_id
inner join {{ ref('int_moments') }} as moments
    on moments.moment = 'now' or (not campaigns.is_imported and first_deeds.first_done_at <= moments.taken_at)
