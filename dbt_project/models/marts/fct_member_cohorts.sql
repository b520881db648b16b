-- A cohort with fewer members than group_size_min is hidden, and so are the next smallest cohorts until at least two
-- cohorts and group_size_min people are hidden, since the total is known. dim_members leaves out suppressed campaigns.
with members as (
    select
        user_id,
        min(cohort_month) as cohort_month
    from {{ ref('dim_members') }}
    where not is_imported
    group by user_id
),

sizes as (
    select
        cohort_month,
        count(*) as members
    from members
    group by cohort_month
),

ranked as (
    select
        cohort_month,
        members,
        row_number() over smallest_first as place,
        min(members) over () as smallest_members,
        sum(members) over (smallest_first rows between unbounded preceding and current row) - members
            as smaller_members
    from sizes
    window smallest_first as (order by members, cohort_month)
),

shown as (
    select
        cohort_month,
        case
            when
                smallest_members >= {{ var('group_size_min') }}
                or (
                    members >= {{ var('group_size_min') }}
                    and place > 2
                    and smaller_members >= {{ var('group_size_min') }}
                )
                then members
        end as members
    from ranked
),

spine as (
    select
        sizes.cohort_month,
        sizes.members,
        cast(series.month as date) as month,
        cast(row_number() over (partition by sizes.cohort_month order by series.month) - 1 as integer) as months_since
    from shown as sizes
    cross join lateral generate_series(
        cast(sizes.cohort_month as timestamp),
        cast({{ utc_month(as_of()) }} as timestamp),
        interval '1 month'
    ) as series (month)
),

active as (
    select
        members.cohort_month,
        cast(date_trunc('month', cast(activity.activity_on as timestamp)) as date) as month,
        count(distinct activity.user_id) as active_members
    from {{ ref('int_member_activity') }} as activity
    inner join {{ ref('int_campaigns') }} as campaigns
        on activity.campaign_id = campaigns.campaign_id
    inner join members
        on activity.user_id = members.user_id
    where not campaigns.is_imported
    group by members.cohort_month, cast(date_trunc('month', cast(activity.activity_on as timestamp)) as date)
),

counted as (
    select
        spine.cohort_month,
        spine.months_since,
        spine.members,
        case when spine.members is not null then coalesce(active.active_members, 0) end as active_members
    from spine
    left join active
        on spine.cohort_month = active.cohort_month and spine.month = active.month
)

select
    cohort_month,
    months_since,
    members,
    {{ shown_count('active_members') }} as active_members,
    cast({{ shown_count('active_members') }} as double precision) / members as retention
from counted
