with ideas as (
    select
        campaign_id,
        count(*) as ideas
    from {{ ref('int_ideas') }}
    group by campaign_id
),

-- The result of a campaign: its accepted ideas, and what they cost together. Costs in other currencies are not added.
results as (
    select
        idea_states.campaign_id,
        count(*) filter (where idea_states.is_accepted) as accepted_ideas,
        count(*) filter (
            where idea_states.is_accepted
            and returns.expected_cost is not null
            and returns.currency is not distinct from campaigns.currency
        ) as accepted_ideas_with_cost,
        sum(returns.expected_cost) filter (
            where idea_states.is_accepted and returns.currency is not distinct from campaigns.currency
        ) as accepted_cost,
        bool_or(idea_states.status = 'outcome_unknown') as is_unknown
    from {{ ref('int_ideas_at_moments') }} as idea_states
    inner join {{ ref('int_campaigns') }} as campaigns
        on idea_states.campaign_id = campaigns.campaign_id
    left join {{ ref('int_returns_at_moments') }} as returns
        on idea_states.idea_id = returns.idea_id and idea_states.moment = returns.moment
    where idea_states.moment = 'now'
    group by idea_states.campaign_id
),

policies as (
    select
        ledgers.campaign_id,
        policies.coins_per_member
    from {{ ref('stg_app__coin_ledgers') }} as ledgers
    inner join {{ ref('stg_app__coin_policies') }} as policies
        on ledgers.campaign_id = policies.campaign_id and ledgers.policy_version = policies.version
)

select
    campaigns.campaign_id,
    campaigns.slug,
    campaigns.title,
    campaigns.status,
    campaigns.origin,
    campaigns.is_mediated,
    campaigns.ballot_type,
    campaigns.country,
    campaigns.unit,
    campaigns.currency,
    campaigns.budget_amount,
    campaigns.eligible_people,
    cast(policies.coins_per_member as bigint) as coins_per_member,
    campaigns.starts_at,
    campaigns.submissions_close_at,
    campaigns.ends_at,
    campaigns.activated_at,
    campaigns.completed_at,
    campaigns.created_at,
    chains.height as chain_height,
    chains.hash as chain_hash,
    chains.sealed_at as chain_sealed_at,
    case when not sizes.has_few_members then sizes.members end as members,
    {{ shown_count('sizes.participants') }} as participants,
    coalesce(ideas.ideas, 0) as ideas,
    case when not coalesce(results.is_unknown, false) then coalesce(results.accepted_ideas, 0) end as accepted_ideas,
    case
        when not coalesce(results.is_unknown, false) then coalesce(results.accepted_ideas_with_cost, 0)
    end as accepted_ideas_with_cost,
    cast(
        case when not coalesce(results.is_unknown, false) then results.accepted_cost end as numeric(18, 2)
    ) as accepted_cost,
    not campaigns.is_imported as has_times,
    sizes.is_suppressed
from {{ ref('int_campaigns') }} as campaigns
inner join {{ ref('int_campaign_sizes') }} as sizes
    on campaigns.campaign_id = sizes.campaign_id and sizes.moment = 'now'
left join ideas
    on campaigns.campaign_id = ideas.campaign_id
left join results
    on campaigns.campaign_id = results.campaign_id
left join policies
    on campaigns.campaign_id = policies.campaign_id
left join {{ ref('stg_app__coin_chains') }} as chains
    on campaigns.campaign_id = chains.campaign_id
