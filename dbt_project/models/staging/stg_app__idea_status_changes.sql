select
    id as idea_status_change_id,
    idea_id,
    from_status,
    to_status,
    changed_at
from {{ source('app', 'idea_status_changes') }}
