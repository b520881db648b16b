select
    idea_id,
    campaign_id,
    status,
    entered_at,
    left_at,
    is_current,
    is_final
from {{ ref('int_idea_statuses') }}
