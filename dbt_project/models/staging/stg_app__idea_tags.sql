select
    idea_tags.idea_id,
    idea_tags.kind,
    idea_tags.name
from {{ source('app', 'idea_tags') }} as idea_tags
inner join {{ source('app', 'ideas') }} as ideas
    on idea_tags.idea_id = ideas.id
where ideas.status <> 'draft'
