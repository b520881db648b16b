-- Issued and expired coins are summed from the postings; wallets, held and staked coins from the stored balances
-- of the ledger. If both came from the postings, the difference would be 0 by construction.
with accounts as (
    select
        accounts.account_id,
        accounts.campaign_id,
        accounts.kind,
        accounts.balance_coins,
        coalesce(sum(postings.coins), 0) as posted_coins
    from {{ ref('stg_app__coin_accounts') }} as accounts
    left join {{ ref('stg_app__coin_postings') }} as postings
        on accounts.account_id = postings.account_id
    group by accounts.account_id, accounts.campaign_id, accounts.kind, accounts.balance_coins
),

totals as (
    select
        campaign_id,
        coalesce(-sum(posted_coins) filter (where kind = 'mint'), 0) as issued_coins,
        coalesce(-sum(posted_coins) filter (where kind = 'carried_in'), 0) as carried_in_coins,
        coalesce(sum(balance_coins) filter (where kind = 'wallet'), 0) as wallet_coins,
        coalesce(sum(balance_coins) filter (where kind = 'held'), 0) as held_coins,
        coalesce(sum(balance_coins) filter (where kind = 'stake'), 0) as staked_coins,
        coalesce(sum(posted_coins) filter (where kind = 'expired'), 0) as expired_coins,
        coalesce(sum(posted_coins) filter (where kind = 'carried_out'), 0) as carried_out_coins,
        count(*) filter (where balance_coins <> posted_coins) as wrong_balances
    from accounts
    group by campaign_id
),

transfers as (
    select
        transfers.campaign_id,
        transfers.transfer_id,
        count(postings.side) as postings,
        coalesce(sum(postings.coins), 0) as coins
    from {{ ref('stg_app__coin_transfers') }} as transfers
    left join {{ ref('stg_app__coin_postings') }} as postings
        on transfers.transfer_id = postings.transfer_id
    group by transfers.campaign_id, transfers.transfer_id
),

unbalanced as (
    select
        campaign_id,
        count(*) as unbalanced_transfers
    from transfers
    where postings <> 2 or coins <> 0
    group by campaign_id
)

select
    campaigns.campaign_id,
    cast(coalesce(totals.issued_coins, 0) as bigint) as issued_coins,
    cast(coalesce(totals.carried_in_coins, 0) as bigint) as carried_in_coins,
    cast(coalesce(totals.wallet_coins, 0) as bigint) as wallet_coins,
    cast(coalesce(totals.held_coins, 0) as bigint) as held_coins,
    cast(coalesce(totals.staked_coins, 0) as bigint) as staked_coins,
    cast(coalesce(totals.expired_coins, 0) as bigint) as expired_coins,
    cast(coalesce(totals.carried_out_coins, 0) as bigint) as carried_out_coins,
    cast(coalesce(
        totals.issued_coins + totals.carried_in_coins - totals.wallet_coins - totals.held_coins
        - totals.staked_coins - totals.expired_coins - totals.carried_out_coins, 0
    ) as bigint) as difference_coins,
    coalesce(totals.wrong_balances, 0) as wrong_balances,
    coalesce(unbalanced.unbalanced_transfers, 0) as unbalanced_transfers
from {{ ref('int_campaigns') }} as campaigns
left join totals
    on campaigns.campaign_id = totals.campaign_id
left join unbalanced
    on campaigns.campaign_id = unbalanced.campaign_id
