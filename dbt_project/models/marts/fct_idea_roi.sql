select
    returns.idea_id,
    standing.campaign_id,
    standing.status,
    returns.currency,
    returns.expected_cost,
    returns.realised_cost,
    returns.expected_value,
    returns.realised_value,
    returns.has_both,
    cast(
        (returns.realised_value - returns.realised_cost) / nullif(returns.realised_cost, 0) as double precision
    ) as roi,
    returns.as_of,
    standing.is_accepted as was_accepted
from {{ ref('int_returns_at_moments') }} as returns
inner join {{ ref('int_ideas_at_moments') }} as standing
    on returns.idea_id = standing.idea_id and returns.moment = standing.moment
where returns.moment = 'now'
