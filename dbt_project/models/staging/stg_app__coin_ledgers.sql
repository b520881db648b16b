select
    campaign_id,
    policy_version,
    opened_at,
    closed_at
from {{ source('app', 'coin_ledgers') }}
