-- A reallocation counts as an allocation, but its coins count neither as placed nor as taken back, since they remain at
-- work.
with actions as (
    select
        campaign_id,
        user_id,
        effective_on as activity_on,
        count(*) filter (where coins > 0) as allocations,
        coalesce(sum(coins) filter (where coins > 0 and kind <> 'reallocate'), 0) as coins_placed,
        coalesce(-sum(coins) filter (where coins < 0 and kind <> 'reallocate'), 0) as coins_taken_back,
        0 as ideas_submitted
    from {{ ref('int_allocations') }}
    where not is_settlement and not is_merge
    group by campaign_id, user_id, effective_on
    union all
    select
        campaign_id,
        author_id as user_id,
        {{ utc_date('submitted_at') }} as activity_on,
        0 as allocations,
        0 as coins_placed,
        0 as coins_taken_back,
        count(*) as ideas_submitted
    from {{ ref('int_ideas') }}
    where author_id is not null
    group by campaign_id, author_id, {{ utc_date('submitted_at') }}
)

select
    campaign_id,
    user_id,
    activity_on,
    cast(sum(allocations) as bigint) as allocations,
    cast(sum(coins_placed) as bigint) as coins_placed,
    cast(sum(coins_taken_back) as bigint) as coins_taken_back,
    cast(sum(ideas_submitted) as bigint) as ideas_submitted
from actions
group by campaign_id, user_id, activity_on
