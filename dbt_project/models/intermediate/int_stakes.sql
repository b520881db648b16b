-- Net coins of a member on an idea before settlement: coins put on it, minus those moved away or taken back. Coins
-- returned by a rejected or withdrawn idea can be staked again. kept_coins excludes them, so a member's kept coins
-- never exceed the grant.
select
    moments.moment,
    allocations.campaign_id,
    allocations.idea_id,
    allocations.user_id,
    coalesce(sum(allocations.coins) filter (where not allocations.is_settlement), 0) as coins,
    coalesce(sum(allocations.coins) filter (
        where not allocations.is_settlement or allocations.settlement = 'return'
    ), 0) as kept_coins
from {{ ref('int_allocations') }} as allocations
inner join {{ ref('int_campaigns') }} as campaigns
    on allocations.campaign_id = campaigns.campaign_id
inner join {{ ref('int_moments') }} as moments
    on moments.moment = 'now' or (not campaigns.is_imported and allocations.effective_at <= moments.taken_at)
group by moments.moment, allocations.campaign_id, allocations.idea_id, allocations.user_id
