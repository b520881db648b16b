select
    id as transfer_id,
    campaign_id,
    kind,
    reverses_id,
    effective_at
from {{ source('app', 'coin_transfers') }}
