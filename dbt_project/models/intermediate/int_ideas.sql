-- No figure is of the author of an anonymous idea: a mart of members would disclose them.
select
    ideas.idea_id,
    ideas.campaign_id,
    case when ideas.is_anonymous then null else ideas.author_id end as author_id,
    ideas.title,
    ideas.submitted_at,
    ideas.status as status_at_build_start,
    ideas.source_ref,
    ideas.is_anonymous
from {{ ref('stg_app__ideas') }} as ideas
inner join {{ ref('int_campaigns') }} as campaigns
    on ideas.campaign_id = campaigns.campaign_id
