-- A change to the current status starts no interval. An idea without a first change has its status since its
-- submission.
with changes as (
    select
        idea_id,
        to_status as status,
        changed_at as entered_at,
        idea_status_change_id
    from {{ ref('stg_app__idea_status_changes') }}
),

first_changes as (
    select distinct on (idea_id)
        idea_id,
        from_status
    from {{ ref('stg_app__idea_status_changes') }}
    order by idea_id asc, changed_at asc, idea_status_change_id asc
),

beginnings as (
    select
        ideas.idea_id,
        coalesce(first_changes.from_status, ideas.status_at_build_start) as status,
        ideas.submitted_at as entered_at,
        cast(null as uuid) as idea_status_change_id
    from {{ ref('int_ideas') }} as ideas
    left join first_changes
        on ideas.idea_id = first_changes.idea_id
    where first_changes.idea_id is null or first_changes.from_status is not null
),

steps as (
    select
        idea_id,
        status,
        entered_at,
        idea_status_change_id
    from changes
    union all
    select
        idea_id,
        status,
        entered_at,
        idea_status_change_id
    from beginnings
),

intervals as (
    select
        idea_id,
        status,
        entered_at,
        lead(entered_at) over (
            partition by idea_id
            order by entered_at asc, idea_status_change_id asc nulls first
        ) as left_at
    from steps
)

select
    intervals.idea_id,
    ideas.campaign_id,
    intervals.status,
    intervals.entered_at,
    intervals.left_at,
    intervals.left_at is null as is_current,
    intervals.status in (
        'complete', 'rejected', 'withdrawn', 'stopped', 'not_selected', 'outcome_unknown', 'merged'
    ) as is_final
from intervals
inner join {{ ref('int_ideas') }} as ideas
    on intervals.idea_id = ideas.idea_id
