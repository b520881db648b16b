select
    id as user_id,
    is_active,
    is_imported,
    created_at
from {{ source('app', 'users') }}
