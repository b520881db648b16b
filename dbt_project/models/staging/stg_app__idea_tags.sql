select
    idea_id,
    kind,
    name
from {{ source('app', 'idea_tags') }}
