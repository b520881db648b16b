-- Every coin ever issued is in a wallet, held, on an idea, expired or carried out; every stored balance is the sum of
-- its postings; every transfer has two postings that sum to zero. A row here is a campaign whose data is not published.
select
    campaign_id,
    difference_coins,
    wrong_balances,
    unbalanced_transfers
from {{ ref('fct_coin_conservation') }}
where not is_balanced
