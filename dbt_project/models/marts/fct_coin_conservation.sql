select
    campaign_id,
    issued_coins,
    carried_in_coins,
    wallet_coins,
    held_coins,
    staked_coins,
    expired_coins,
    carried_out_coins,
    difference_coins,
    wrong_balances,
    unbalanced_transfers
from {{ ref('int_coin_conservation') }}
