with members as (
    select
        campaign_id,
        count(*) filter (where is_current) as members
    from {{ ref('int_members') }}
    group by campaign_id
),

participants as (
    select
        campaign_id,
        count(*) as participants
    from {{ ref('int_participants') }}
    where moment = 'now'
    group by campaign_id
),

ideas as (
    select
        campaign_id,
        count(*) as ideas
    from {{ ref('int_ideas') }}
    group by campaign_id
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
    coalesce(members.members, 0) as members,
    coalesce(participants.participants, 0) as participants,
    coalesce(ideas.ideas, 0) as ideas,
    not campaigns.is_imported as has_times
from {{ ref('int_campaigns') }} as campaigns
left join members
    on campaigns.campaign_id = members.campaign_id
left join participants
    on campaigns.campaign_id = participants.campaign_id
left join ideas
    on campaigns.campaign_id = ideas.campaign_id
left join policies
    on campaigns.campaign_id = policies.campaign_id
left join {{ ref('stg_app__coin_chains') }} as chains
    on campaigns.campaign_id = chains.campaign_id
