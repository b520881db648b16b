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

spine as (
    select
        sizes.cohort_month,
        sizes.members,
        cast(series.month as date) as month,
        cast(row_number() over (partition by sizes.cohort_month order by series.month) - 1 as integer) as months_since
    from sizes
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
)

select
    spine.cohort_month,
    spine.months_since,
    case when spine.members >= {{ var('group_size_min') }} then spine.members end as members,
    case
        when spine.members >= {{ var('group_size_min') }} then coalesce(active.active_members, 0)
    end as active_members,
    case
        when spine.members >= {{ var('group_size_min') }}
            then cast(coalesce(active.active_members, 0) as double precision) / spine.members
    end as retention
from spine
left join active
    on spine.cohort_month = active.cohort_month and spine.month = active.month
