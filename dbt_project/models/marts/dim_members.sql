-- Without the members of suppressed campaigns, whose rows would reveal their number.
with cohorts as (
    select
        user_id,
        {{ utc_month('min(first_joined_at)') }} as cohort_month
    from {{ ref('int_members') }}
    where not is_imported
    group by user_id
),

granted as (
    select
        accounts.campaign_id,
        accounts.user_id,
        sum(postings.coins) as coins
    from {{ ref('stg_app__coin_accounts') }} as accounts
    inner join {{ ref('stg_app__coin_postings') }} as postings
        on accounts.account_id = postings.account_id
    inner join {{ ref('stg_app__coin_transfers') }} as transfers
        on postings.transfer_id = transfers.transfer_id
    where accounts.kind = 'wallet' and transfers.kind in ('grant', 'correct')
    group by accounts.campaign_id, accounts.user_id
),

staked as (
    select
        campaign_id,
        user_id,
        sum(kept_coins) as coins,
        count(*) filter (where coins > 0) as ideas_backed
    from {{ ref('int_stakes') }}
    where moment = 'now'
    group by campaign_id, user_id
),

submitted as (
    select
        campaign_id,
        author_id as user_id,
        count(*) as ideas_submitted
    from {{ ref('int_ideas') }}
    where author_id is not null
    group by campaign_id, author_id
),

participants as (
    select
        campaign_id,
        user_id
    from {{ ref('int_participants') }}
    where moment = 'now'
)

select
    md5(members.campaign_id || ':' || members.user_id) as member_id,
    members.campaign_id,
    members.user_id,
    members.role,
    members.first_joined_at,
    members.left_at,
    members.is_current,
    members.is_imported,
    case when not members.is_imported then cohorts.cohort_month end as cohort_month,
    cast(coalesce(granted.coins, 0) as bigint) as granted_coins,
    cast(coalesce(staked.coins, 0) as bigint) as staked_coins,
    coalesce(staked.ideas_backed, 0) as ideas_backed,
    coalesce(submitted.ideas_submitted, 0) as ideas_submitted,
    participants.user_id is not null as is_participant
from {{ ref('int_members') }} as members
inner join {{ ref('int_campaign_sizes') }} as sizes
    on members.campaign_id = sizes.campaign_id and sizes.moment = 'now' and not sizes.is_suppressed
left join cohorts
    on members.user_id = cohorts.user_id
left join granted
    on members.campaign_id = granted.campaign_id and members.user_id = granted.user_id
left join staked
    on members.campaign_id = staked.campaign_id and members.user_id = staked.user_id
left join submitted
    on members.campaign_id = submitted.campaign_id and members.user_id = submitted.user_id
left join participants
    on members.campaign_id = participants.campaign_id and members.user_id = participants.user_id
