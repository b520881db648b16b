-- A group with fewer members than group_size_min is hidden, and so are the next smallest groups until at least two
-- groups and group_size_min people are hidden. Otherwise the hidden group could be computed as the total minus the
-- other groups.
with attributed as (
    select
        members.campaign_id,
        members.user_id,
        case
            when (members.attributes ->> 'age') ~ '^[0-9]{1,3}$' then
                case
                    when cast(members.attributes ->> 'age' as integer) < 18 then 'under 18'
                    when cast(members.attributes ->> 'age' as integer) < 30 then '18-29'
                    when cast(members.attributes ->> 'age' as integer) < 40 then '30-39'
                    when cast(members.attributes ->> 'age' as integer) < 50 then '40-49'
                    when cast(members.attributes ->> 'age' as integer) < 60 then '50-59'
                    when cast(members.attributes ->> 'age' as integer) < 70 then '60-69'
                    else '70 and over'
                end
        end as age_band,
        nullif(members.attributes ->> 'sex', '') as sex,
        nullif(members.attributes ->> 'district', '') as district,
        nullif(members.attributes ->> 'department', '') as department,
        nullif(members.attributes ->> 'voting_method', '') as voting_method
    from {{ ref('int_members') }} as members
    where members.is_current
),

stated as (
    select
        attributed.campaign_id,
        attributed.user_id,
        traits.attribute,
        traits.group_name
    from attributed
    cross join lateral (
        values
        ('age_band', attributed.age_band),
        ('sex', attributed.sex),
        ('district', attributed.district),
        ('department', attributed.department),
        ('voting_method', attributed.voting_method)
    ) as traits (attribute, group_name)
),

-- Members without a value are a group, if another member of the campaign has a value.
known as (
    select distinct
        campaign_id,
        attribute
    from stated
    where group_name is not null
),

groups as (
    select
        stated.campaign_id,
        stated.attribute,
        coalesce(stated.group_name, 'not stated') as group_name,
        count(*) as members,
        count(*) filter (where members.is_participant) as participants,
        coalesce(sum(members.staked_coins), 0) as coins
    from stated
    inner join known
        on stated.campaign_id = known.campaign_id and stated.attribute = known.attribute
    inner join {{ ref('dim_members') }} as members
        on stated.campaign_id = members.campaign_id and stated.user_id = members.user_id
    group by stated.campaign_id, stated.attribute, coalesce(stated.group_name, 'not stated')
),

ranked as (
    select
        campaign_id,
        attribute,
        group_name,
        members,
        participants,
        coins,
        row_number() over smallest_first as place,
        min(members) over (partition by campaign_id, attribute) as smallest_members,
        sum(members) over (smallest_first rows between unbounded preceding and current row) - members
            as smaller_members
    from groups
    window smallest_first as (partition by campaign_id, attribute order by members, group_name)
),

evaluated as (
    select
        campaign_id,
        attribute,
        group_name,
        members,
        participants,
        coins,
        smallest_members < {{ var('group_size_min') }}
        and (
            members < {{ var('group_size_min') }} or place <= 2 or smaller_members < {{ var('group_size_min') }}
        ) as is_suppressed
    from ranked
)

select
    campaign_id,
    attribute,
    group_name,
    case when not is_suppressed then members end as members,
    case when not is_suppressed then participants end as participants,
    cast(case when not is_suppressed then coins end as bigint) as coins,
    is_suppressed
from evaluated
