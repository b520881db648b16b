with stakes as (
    select
        account_id,
        campaign_id,
        idea_id,
        user_id
    from {{ ref('stg_app__coin_accounts') }}
    where kind = 'stake'
)

select
    postings.transfer_id,
    stakes.campaign_id,
    stakes.idea_id,
    stakes.user_id,
    transfers.kind,
    postings.coins,
    postings.effective_at,
    {{ utc_date('postings.effective_at') }} as effective_on,
    coalesce(causes.kind, transfers.kind) in ('expire', 'return', 'settle') as is_settlement,
    coalesce(causes.kind, transfers.kind) = 'merge' as is_merge,
    case
        when coalesce(causes.kind, transfers.kind) in ('expire', 'return', 'settle')
            then coalesce(causes.kind, transfers.kind)
    end as settlement
from {{ ref('stg_app__coin_postings') }} as postings
inner join stakes
    on postings.account_id = stakes.account_id
inner join {{ ref('int_ideas') }} as ideas
    on stakes.idea_id = ideas.idea_id
inner join {{ ref('stg_app__coin_transfers') }} as transfers
    on postings.transfer_id = transfers.transfer_id
left join {{ ref('stg_app__coin_transfers') }} as causes
    on transfers.reverses_id = causes.transfer_id
