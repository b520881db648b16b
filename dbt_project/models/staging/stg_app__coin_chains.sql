select
    campaign_id,
    height,
    encode(hash, 'hex') as hash,
    sealed_transfers,
    sealed_at
from {{ source('app', 'coin_chains') }}
