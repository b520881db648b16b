-- Whether the coins of every campaign are balanced; the coins themselves only of campaigns that are not suppressed.
with checked as (
    select
        conservation.campaign_id,
        conservation.issued_coins,
        conservation.carried_in_coins,
        conservation.wallet_coins,
        conservation.held_coins,
        conservation.staked_coins,
        conservation.expired_coins,
        conservation.carried_out_coins,
        conservation.difference_coins,
        conservation.wrong_balances,
        conservation.unbalanced_transfers,
        sizes.is_suppressed,
        conservation.difference_coins = 0
        and conservation.wrong_balances = 0
        and conservation.unbalanced_transfers = 0 as is_balanced
    from {{ ref('int_coin_conservation') }} as conservation
    inner join {{ ref('int_campaign_sizes') }} as sizes
        on conservation.campaign_id = sizes.campaign_id and sizes.moment = 'now'
)

select
    campaign_id,
    is_balanced,
    case when not is_suppressed then issued_coins end as issued_coins,
    case when not is_suppressed then carried_in_coins end as carried_in_coins,
    case when not is_suppressed then wallet_coins end as wallet_coins,
    case when not is_suppressed then held_coins end as held_coins,
    case when not is_suppressed then staked_coins end as staked_coins,
    case when not is_suppressed then expired_coins end as expired_coins,
    case when not is_suppressed then carried_out_coins end as carried_out_coins,
    case when not is_suppressed then difference_coins end as difference_coins,
    case when not is_suppressed then wrong_balances end as wrong_balances,
    case when not is_suppressed then unbalanced_transfers end as unbalanced_transfers
from checked
