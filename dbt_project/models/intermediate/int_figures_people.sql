-- Do people take part? Distinct people are counted in each scope, since a sum over campaigns would count some twice.
with members as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        members.moment,
        count(distinct members.user_id) as members
    from {{ ref('int_counted_scopes') }} as scopes
    inner join {{ ref('int_members_at_moments') }} as members
        on scopes.campaign_id = members.campaign_id and scopes.moment = members.moment
    where scopes.counts_people
    group by scopes.scope_kind, scopes.scope_id, members.moment
),

-- People who took part and are members at the end of the period, so that the share is at most 1.
active as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        periods.period,
        count(distinct activity.user_id) as active_members
    from {{ ref('int_counted_scopes') }} as scopes
    inner join {{ ref('int_periods') }} as periods
        on scopes.moment = periods.moment and (periods.period = 'to_date' or not scopes.is_imported)
    inner join {{ ref('int_member_activity') }} as activity
        on
            scopes.campaign_id = activity.campaign_id
            and scopes.counts_people
            and activity.activity_on between coalesce(periods.starts_on, activity.activity_on) and periods.ends_on
            and (activity.allocations > 0 or activity.ideas_submitted > 0)
    inner join {{ ref('int_members_at_moments') }} as members
        on
            activity.campaign_id = members.campaign_id
            and activity.user_id = members.user_id
            and periods.moment = members.moment
    group by scopes.scope_kind, scopes.scope_id, periods.period
),

-- Without an open campaign in a period, participation is unknown.
open_periods as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        periods.period,
        bool_or(
            {{ utc_date('campaigns.activated_at') }} <= periods.ends_on
            and coalesce({{ utc_date('campaigns.completed_at') }} >= periods.starts_on, true)
        ) as was_open
    from {{ ref('int_scopes') }} as scopes
    inner join {{ ref('int_campaigns') }} as campaigns
        on scopes.campaign_id = campaigns.campaign_id
    inner join {{ ref('int_periods') }} as periods
        on periods.period = 'to_date' or not scopes.is_imported
    group by scopes.scope_kind, scopes.scope_id, periods.period
),

-- Members and eligible people are added over the same campaigns, so that reach is at most 1. A number of eligible
-- people that is lower than the number of members is wrong, and is not used.
stated as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        scopes.moment,
        sizes.members,
        campaigns.eligible_people,
        campaigns.eligible_people is not null as is_stated,
        scopes.counts_people and coalesce(sizes.members <= campaigns.eligible_people, false) as is_counted
    from {{ ref('int_counted_scopes') }} as scopes
    inner join {{ ref('int_campaigns') }} as campaigns
        on scopes.campaign_id = campaigns.campaign_id
    inner join {{ ref('int_campaign_sizes') }} as sizes
        on scopes.campaign_id = sizes.campaign_id and scopes.moment = sizes.moment
),

reached as (
    select
        scope_kind,
        scope_id,
        moment,
        sum(members) filter (where is_counted) as members,
        sum(eligible_people) filter (where is_counted) as eligible_people,
        avg(cast(is_counted as integer)) as coverage,
        bool_or(is_stated) as is_stated,
        sum(members) as all_members
    from stated
    group by scope_kind, scope_id, moment
),

-- Participants with a net stake on an idea that was ever accepted.
accepted_backers as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        stakes.moment,
        count(distinct stakes.user_id) as accepted_backers
    from {{ ref('int_counted_scopes') }} as scopes
    inner join {{ ref('int_stakes') }} as stakes
        on scopes.campaign_id = stakes.campaign_id and scopes.moment = stakes.moment and stakes.coins > 0
    inner join {{ ref('int_ideas_at_moments') }} as ideas
        on stakes.idea_id = ideas.idea_id and stakes.moment = ideas.moment and ideas.is_accepted
    where scopes.counts_coins
    group by scopes.scope_kind, scopes.scope_id, stakes.moment
),

participants as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        participants.moment,
        count(distinct participants.user_id) as participants
    from {{ ref('int_counted_scopes') }} as scopes
    inner join {{ ref('int_participants') }} as participants
        on scopes.campaign_id = participants.campaign_id and scopes.moment = participants.moment
    where scopes.counts_coins
    group by scopes.scope_kind, scopes.scope_id, participants.moment
),

outcomes as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        ideas.moment,
        bool_or(ideas.is_accepted) as has_accepted,
        bool_or(ideas.status = 'outcome_unknown') as has_unknown
    from {{ ref('int_counted_scopes') }} as scopes
    inner join {{ ref('int_ideas_at_moments') }} as ideas
        on scopes.campaign_id = ideas.campaign_id and scopes.moment = ideas.moment
    where scopes.counts_coins
    group by scopes.scope_kind, scopes.scope_id, ideas.moment
),

coverages as (
    select
        scope_kind,
        scope_id,
        moment,
        max(people_coverage) as people_coverage,
        max(coins_coverage) as coins_coverage
    from {{ ref('int_counted_scopes') }}
    group by scope_kind, scope_id, moment
)

select
    periods.scope_kind,
    periods.scope_id,
    periods.period,
    'participation' as figure,
    cast(null as text) as currency,
    cast(coalesce(active.active_members, 0) as numeric) as numerator,
    cast(members.members as numeric) as denominator,
    members.members as persons,
    coverages.people_coverage as coverage,
    case
        when periods.is_imported then 'not in the file'
        when not coalesce(open_periods.was_open, false) then 'nothing to count'
    end as unknown_reason
from {{ ref('int_scope_periods') }} as periods
left join members
    on
        periods.scope_kind = members.scope_kind
        and periods.scope_id = members.scope_id
        and periods.moment = members.moment
left join active
    on
        periods.scope_kind = active.scope_kind
        and periods.scope_id = active.scope_id
        and periods.period = active.period
left join open_periods
    on
        periods.scope_kind = open_periods.scope_kind
        and periods.scope_id = open_periods.scope_id
        and periods.period = open_periods.period
left join coverages
    on
        periods.scope_kind = coverages.scope_kind
        and periods.scope_id = coverages.scope_id
        and periods.moment = coverages.moment
union all
select
    periods.scope_kind,
    periods.scope_id,
    periods.period,
    'reach' as figure,
    cast(null as text) as currency,
    cast(reached.members as numeric) as numerator,
    cast(reached.eligible_people as numeric) as denominator,
    reached.members as persons,
    cast(reached.coverage as double precision) as coverage,
    case
        when periods.is_imported and not reached.is_stated then 'not in the file'
        when coalesce(reached.all_members, 0) = 0 then 'nothing to count'
        when not reached.is_stated then 'eligible people not known'
        when reached.members is null then 'eligible people not known correctly'
    end as unknown_reason
from {{ ref('int_scope_periods') }} as periods
left join reached
    on
        periods.scope_kind = reached.scope_kind
        and periods.scope_id = reached.scope_id
        and periods.moment = reached.moment
union all
select
    periods.scope_kind,
    periods.scope_id,
    periods.period,
    'breadth' as figure,
    cast(null as text) as currency,
    cast(coalesce(accepted_backers.accepted_backers, 0) as numeric) as numerator,
    cast(participants.participants as numeric) as denominator,
    participants.participants as persons,
    coverages.coins_coverage as coverage,
    case
        when coalesce(outcomes.has_unknown, false) then 'outcome unknown'
        when not coalesce(outcomes.has_accepted, false) then 'nothing to count'
    end as unknown_reason
from {{ ref('int_scope_periods') }} as periods
left join accepted_backers
    on
        periods.scope_kind = accepted_backers.scope_kind
        and periods.scope_id = accepted_backers.scope_id
        and periods.moment = accepted_backers.moment
left join participants
    on
        periods.scope_kind = participants.scope_kind
        and periods.scope_id = participants.scope_id
        and periods.moment = participants.moment
left join outcomes
    on
        periods.scope_kind = outcomes.scope_kind
        and periods.scope_id = outcomes.scope_id
        and periods.moment = outcomes.moment
left join coverages
    on
        periods.scope_kind = coverages.scope_kind
        and periods.scope_id = coverages.scope_id
        and periods.moment = coverages.moment
