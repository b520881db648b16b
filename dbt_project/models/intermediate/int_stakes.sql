-- Net coins of a member on an idea before settlement: in, less out and taken back. 5 there, back, and there again is 5.
select
    moments.moment,
    allocations.campaign_id,
    allocations.idea_id,
    allocations.user_id,
    sum(allocations.coins) as coins
from {{ ref('fct_allocations') }} as allocations
inner join {{ ref('stg_app__campaigns') }} as campaigns
    on allocations.campaign_id = campaigns.campaign_id
inner join {{ ref('int_moments') }} as moments
    on moments.moment = 'now' or (not campaigns.is_imported and allocations.effective_at <= moments.taken_at)
where not allocations.is_settlement
group by moments.moment, allocations.campaign_id, allocations.idea_id, allocations.user_id
