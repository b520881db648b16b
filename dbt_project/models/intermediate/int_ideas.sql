select
    ideas.idea_id,
    ideas.campaign_id,
    ideas.author_id,
    ideas.title,
    ideas.submitted_at,
    ideas.status as status_at_build_start,
    ideas.source_ref
from {{ ref('stg_app__ideas') }} as ideas
inner join {{ ref('int_campaigns') }} as campaigns
    on ideas.campaign_id = campaigns.campaign_id
