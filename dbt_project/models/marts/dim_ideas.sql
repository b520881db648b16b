-- The coins of a suppressed campaign are hidden, and so are the ranks, which follow from them. Few backers are hidden
-- everywhere.
with tags as (
    select
        idea_id,
        string_agg(name, ', ' order by name) filter (where kind = 'category') as category,
        string_agg(name, ', ' order by kind desc, name) filter (where kind <> 'category') as tags
    from {{ ref('stg_app__idea_tags') }}
    group by idea_id
),

steps as (
    select
        idea_id,
        status,
        entered_at,
        is_current,
        lead(status) over (partition by idea_id order by entered_at, left_at nulls last) as next_status
    from {{ ref('int_idea_statuses') }}
),

-- An acceptance that was undone is not a decision.
decisions as (
    select
        idea_id,
        min(entered_at) filter (where status = 'competing') as approved_at,
        min(entered_at) filter (
            where status in ('rejected', 'not_selected')
            or (status = 'accepted' and coalesce(next_status, 'none') <> 'competing')
        ) as decided_at,
        max(status) filter (where is_current) as status,
        max(entered_at) filter (where is_current) as status_changed_at
    from steps
    group by idea_id
),

scored as (
    select
        idea_id,
        campaign_id,
        coins,
        backers,
        is_approved,
        is_backed
    from {{ ref('int_ideas_at_moments') }}
    where moment = 'now'
)

select
    ideas.idea_id,
    ideas.campaign_id,
    ideas.source_ref,
    ideas.title,
    decisions.status,
    tags.category,
    tags.tags,
    case when not sizes.is_suppressed then ideas.author_id end as author_id,
    ideas.submitted_at,
    decisions.approved_at,
    decisions.decided_at,
    decisions.status_changed_at,
    case when not sizes.is_suppressed then scored.coins end as coins,
    case when not sizes.is_suppressed then {{ shown_count('scored.backers') }} end as backers,
    case
        when scored.is_approved and not sizes.is_suppressed
            then rank() over (partition by ideas.campaign_id, scored.is_approved order by scored.coins desc)
    end as rank_in_campaign,
    scored.is_backed
from {{ ref('int_ideas') }} as ideas
inner join scored
    on ideas.idea_id = scored.idea_id
inner join decisions
    on ideas.idea_id = decisions.idea_id
inner join {{ ref('int_campaign_sizes') }} as sizes
    on ideas.campaign_id = sizes.campaign_id and sizes.moment = 'now'
left join tags
    on ideas.idea_id = tags.idea_id
