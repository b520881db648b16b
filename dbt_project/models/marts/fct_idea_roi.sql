select
    returns.idea_id,
    idea_states.campaign_id,
    idea_states.status,
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
    idea_states.is_accepted as was_accepted
from {{ ref('int_returns_at_moments') }} as returns
inner join {{ ref('int_ideas_at_moments') }} as idea_states
    on returns.idea_id = idea_states.idea_id and returns.moment = idea_states.moment
where returns.moment = 'now'
