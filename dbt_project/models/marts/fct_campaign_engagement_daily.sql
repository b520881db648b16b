-- Without suppressed campaigns. On days with few members the coins are hidden too.
with joins as (
    select
        campaign_id,
        {{ utc_date('min(first_joined_at)') }} as first_on
    from {{ ref('int_members') }}
    group by campaign_id
),

actions as (
    select
        campaign_id,
        activity_on as day,
        1 as active_members,
        coins_placed,
        coins_taken_back,
        ideas_submitted
    from {{ ref('int_member_activity') }}
    union all
    -- anonymous ideas are counted, but no member is active by them
    select
        campaign_id,
        {{ utc_date('submitted_at') }} as day,
        0 as active_members,
        0 as coins_placed,
        0 as coins_taken_back,
        1 as ideas_submitted
    from {{ ref('int_ideas') }}
    where is_anonymous
),

activity as (
    select
        campaign_id,
        day,
        sum(active_members) as active_members,
        sum(coins_placed) as coins_placed,
        sum(coins_taken_back) as coins_taken_back,
        sum(ideas_submitted) as ideas_submitted
    from actions
    group by campaign_id, day
),

active_days as (
    select
        campaign_id,
        min(day) as first_on,
        max(day) as last_on
    from activity
    group by campaign_id
),

bounds as (
    select
        campaigns.campaign_id,
        campaigns.is_imported,
        least({{ utc_date('campaigns.activated_at') }}, joins.first_on, active_days.first_on) as first_on,
        greatest(
            least({{ utc_date('campaigns.completed_at') }}, {{ utc_date(as_of()) }}), active_days.last_on
        ) as last_on
    from {{ ref('int_campaigns') }} as campaigns
    left join joins
        on campaigns.campaign_id = joins.campaign_id
    left join active_days
        on campaigns.campaign_id = active_days.campaign_id
    inner join {{ ref('int_campaign_sizes') }} as sizes
        on campaigns.campaign_id = sizes.campaign_id and sizes.moment = 'now' and not sizes.is_suppressed
    where campaigns.activated_at is not null
),

-- An imported election has one day, its last.
days as (
    select
        bounds.campaign_id,
        cast(series.day as date) as day
    from bounds
    cross join
        lateral generate_series(
            cast(bounds.first_on as timestamp),
            cast(coalesce(bounds.last_on, {{ utc_date(as_of()) }}) as timestamp),
            interval '1 day'
        ) as series (day)
    where not bounds.is_imported
    union all
    select
        activity.campaign_id,
        activity.day
    from activity
    inner join bounds
        on activity.campaign_id = bounds.campaign_id
    where bounds.is_imported
),

returned as (
    select
        campaign_id,
        effective_on as day,
        -sum(coins) as coins_returned
    from {{ ref('int_allocations') }}
    where settlement = 'return'
    group by campaign_id, effective_on
),

joins_and_leaves as (
    select
        memberships.campaign_id,
        case
            when campaigns.is_imported then {{ utc_date('campaigns.ends_at') }}
            else {{ utc_date('memberships.joined_at') }}
        end as day,
        1 as has_joined,
        0 as has_left
    from {{ ref('stg_app__memberships') }} as memberships
    inner join {{ ref('int_campaigns') }} as campaigns
        on memberships.campaign_id = campaigns.campaign_id
    where memberships.role is distinct from 'observer'
    union all
    select
        campaign_id,
        {{ utc_date('left_at') }} as day,
        0 as has_joined,
        1 as has_left
    from {{ ref('stg_app__memberships') }}
    where left_at is not null and role is distinct from 'observer'
),

movements as (
    select
        campaign_id,
        day,
        sum(has_joined) as members_joined,
        sum(has_left) as members_left
    from joins_and_leaves
    group by campaign_id, day
),

daily as (
    select
        days.campaign_id,
        days.day,
        coalesce(activity.active_members, 0) as active_members,
        coalesce(activity.coins_placed, 0) as coins_placed,
        coalesce(activity.coins_taken_back, 0) as coins_taken_back,
        coalesce(returned.coins_returned, 0) as coins_returned,
        coalesce(activity.ideas_submitted, 0) as ideas_submitted,
        coalesce(movements.members_joined, 0) as members_joined,
        coalesce(movements.members_left, 0) as members_left
    from days
    left join activity
        on days.campaign_id = activity.campaign_id and days.day = activity.day
    left join returned
        on days.campaign_id = returned.campaign_id and days.day = returned.day
    left join movements
        on days.campaign_id = movements.campaign_id and days.day = movements.day
),

running as (
    select
        campaign_id,
        day,
        active_members,
        coins_placed,
        coins_taken_back,
        coins_returned,
        sum(coins_placed - coins_taken_back - coins_returned)
            over (partition by campaign_id order by day) as coins_at_work,
        ideas_submitted,
        members_joined,
        members_left,
        sum(members_joined - members_left) over (partition by campaign_id order by day) as members
    from daily
),

guarded as (
    select
        campaign_id,
        day,
        active_members,
        coins_placed,
        coins_taken_back,
        coins_returned,
        coins_at_work,
        ideas_submitted,
        members_joined,
        members_left,
        members,
        {{ is_few('members') }} as has_few_members
    from running
)

select
    campaign_id,
    day,
    {{ shown_count('active_members') }} as active_members,
    {%- for coins, name in [
        ('coins_placed', 'coins_placed'), ('coins_taken_back', 'coins_taken_back'), ('coins_returned', 'coins_returned'),
        ('coins_placed - coins_taken_back', 'coins_net'), ('coins_at_work', 'coins_at_work')
    ] %}
        cast(case when not has_few_members then {{ coins }} end as bigint) as {{ name }},
    {%- endfor %}
    cast(ideas_submitted as bigint) as ideas_submitted,
    cast({{ shown_count('members_joined') }} as bigint) as members_joined,
    cast({{ shown_count('members_left') }} as bigint) as members_left,
    cast(case when not has_few_members then members end as bigint) as members
from guarded
