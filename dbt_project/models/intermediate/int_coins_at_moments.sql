-- A campaign's coins at each moment: granted, at work, on its top ideas, and placed in the last tenth of its window.
with windows as (
    select
        campaigns.campaign_id,
        campaigns.is_imported,
        greatest(policies.allocation_opens_at, campaigns.activated_at, campaigns.starts_at) as opens_at,
        least(coalesce(policies.allocate_until, campaigns.ends_at), campaigns.completed_at) as closes_at
    from {{ ref('int_campaigns') }} as campaigns
    left join {{ ref('stg_app__coin_ledgers') }} as ledgers
        on campaigns.campaign_id = ledgers.campaign_id
    left join {{ ref('stg_app__coin_policies') }} as policies
        on ledgers.campaign_id = policies.campaign_id and ledgers.policy_version = policies.version
),

granted as (
    select
        moments.moment,
        accounts.campaign_id,
        sum(postings.coins) as granted_coins,
        count(distinct accounts.user_id) as granted_members
    from {{ ref('stg_app__coin_accounts') }} as accounts
    inner join {{ ref('stg_app__coin_postings') }} as postings
        on accounts.account_id = postings.account_id
    inner join {{ ref('stg_app__coin_transfers') }} as transfers
        on postings.transfer_id = transfers.transfer_id
    inner join {{ ref('int_moments') }} as moments
        on moments.moment = 'now' or postings.effective_at <= moments.taken_at
    where accounts.kind = 'wallet' and transfers.kind in ('grant', 'correct')
    group by moments.moment, accounts.campaign_id
),

placed as (
    select
        moments.moment,
        allocations.campaign_id,
        sum(allocations.coins) as placed_coins,
        coalesce(sum(allocations.coins) filter (
            where allocations.effective_at > windows.closes_at - (windows.closes_at - windows.opens_at) / 10
        ), 0) as late_coins
    from {{ ref('int_allocations') }} as allocations
    inner join windows
        on allocations.campaign_id = windows.campaign_id
    inner join {{ ref('int_moments') }} as moments
        on moments.moment = 'now' or allocations.effective_at <= moments.taken_at
    where
        allocations.coins > 0
        and not allocations.is_settlement
        and not allocations.is_merge
        and allocations.kind <> 'reallocate'
    group by moments.moment, allocations.campaign_id
),

ranked as (
    select
        moment,
        campaign_id,
        coins,
        row_number() over (partition by moment, campaign_id order by coins desc) as place,
        count(*) over (partition by moment, campaign_id) as ideas
    from {{ ref('int_ideas_at_moments') }}
    where is_approved
),

ideas as (
    select
        moment,
        campaign_id,
        sum(coins) as idea_coins,
        sum(coins) filter (where place <= ceil(0.1 * ideas)) as top_coins
    from ranked
    group by moment, campaign_id
),

stakes as (
    select
        moment,
        campaign_id,
        sum(kept_coins) as staked_coins
    from {{ ref('int_stakes') }}
    group by moment, campaign_id
)

select
    moments.moment,
    windows.campaign_id,
    coalesce(granted.granted_coins, 0) as granted_coins,
    coalesce(granted.granted_members, 0) as granted_members,
    coalesce(stakes.staked_coins, 0) as staked_coins,
    coalesce(placed.placed_coins, 0) as placed_coins,
    coalesce(placed.late_coins, 0) as late_coins,
    coalesce(ideas.idea_coins, 0) as idea_coins,
    coalesce(ideas.top_coins, 0) as top_coins,
    coalesce(
        moments.taken_at > windows.closes_at - (windows.closes_at - windows.opens_at) / 10, false
    ) as has_late_coins
from windows
inner join {{ ref('int_moments') }} as moments
    on moments.moment = 'now' or not windows.is_imported
left join granted
    on windows.campaign_id = granted.campaign_id and moments.moment = granted.moment
left join placed
    on windows.campaign_id = placed.campaign_id and moments.moment = placed.moment
left join ideas
    on windows.campaign_id = ideas.campaign_id and moments.moment = ideas.moment
left join stakes
    on windows.campaign_id = stakes.campaign_id and moments.moment = stakes.moment
