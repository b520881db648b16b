-- Without suppressed campaigns.
select
    allocations.transfer_id,
    allocations.campaign_id,
    allocations.idea_id,
    allocations.user_id,
    allocations.kind,
    allocations.coins,
    allocations.effective_at,
    allocations.effective_on,
    allocations.is_settlement,
    allocations.settlement
from {{ ref('int_allocations') }} as allocations
inner join {{ ref('int_campaign_sizes') }} as sizes
    on allocations.campaign_id = sizes.campaign_id and sizes.moment = 'now' and not sizes.is_suppressed
