select
    id as account_id,
    campaign_id,
    kind,
    user_id,
    idea_id,
    balance_coins
from {{ source('app', 'coin_accounts') }}
