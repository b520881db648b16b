-- Are the ideas worth it, and what is stuck? Both are counts of ideas at the period's end.
with moments as (
    select
        moment,
        taken_at
    from {{ ref('int_moments') }}
),

counts as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        ideas.moment,
        count(*) filter (where ideas.is_backed and scopes.counts_coins) as backed,
        count(*) filter (where ideas.is_approved and scopes.counts_coins) as approved,
        max(scopes.coins_coverage) as coverage,
        count(*) filter (where ideas.status in ('pending', 'accepted', 'in_progress')) as waiting,
        count(*) filter (
            where
            (ideas.status = 'pending' and ideas.status_entered_at < moments.taken_at - interval '7 days')
            or (
                ideas.status in ('accepted', 'in_progress')
                and ideas.status_entered_at < moments.taken_at - interval '30 days'
            )
        ) as overdue
    from {{ ref('int_counted_scopes') }} as scopes
    inner join {{ ref('int_ideas_at_moments') }} as ideas
        on scopes.campaign_id = ideas.campaign_id and scopes.moment = ideas.moment
    inner join moments
        on ideas.moment = moments.moment
    group by scopes.scope_kind, scopes.scope_id, ideas.moment
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
)

select
    periods.scope_kind,
    periods.scope_id,
    periods.period,
    'backed' as figure,
    cast(null as text) as currency,
    cast(counts.backed as numeric) as numerator,
    cast(counts.approved as numeric) as denominator,
    participants.participants as persons,
    counts.coverage,
    cast(null as text) as unknown_reason
from {{ ref('int_scope_periods') }} as periods
left join counts
    on
        periods.scope_kind = counts.scope_kind
        and periods.scope_id = counts.scope_id
        and periods.moment = counts.moment
left join participants
    on
        periods.scope_kind = participants.scope_kind
        and periods.scope_id = participants.scope_id
        and periods.moment = participants.moment
union all
select
    periods.scope_kind,
    periods.scope_id,
    periods.period,
    'overdue' as figure,
    cast(null as text) as currency,
    cast(coalesce(counts.overdue, 0) as numeric) as numerator,
    cast(coalesce(counts.waiting, 0) as numeric) as denominator,
    cast(null as bigint) as persons,
    cast(null as double precision) as coverage,
    case when periods.is_imported then 'not in the file' end as unknown_reason
from {{ ref('int_scope_periods') }} as periods
left join counts
    on
        periods.scope_kind = counts.scope_kind
        and periods.scope_id = counts.scope_id
        and periods.moment = counts.moment
