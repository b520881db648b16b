-- Drafts are visible to their author only.
select
    id as idea_id,
    campaign_id,
    author_id,
    title,
    status,
    submitted_at,
    status_changed_at,
    source_ref,
    is_anonymous
from {{ source('app', 'ideas') }}
where status <> 'draft'
