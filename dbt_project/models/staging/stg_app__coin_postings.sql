select
    transfer_id,
    side,
    account_id,
    amount_coins as coins,
    effective_at
from {{ source('app', 'coin_postings') }}
