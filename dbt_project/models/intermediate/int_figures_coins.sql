-- Can I trust the coins? The organisation's figures are computed from the coins of its campaigns together, without the
-- suppressed campaigns. Its difference counts all of them: it has to be 0, and 0 reveals nothing.
with coins as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        coins.moment,
        sum(coins.granted_coins) filter (where scopes.counts_coins) as granted_coins,
        sum(coins.staked_coins) filter (where scopes.counts_coins) as staked_coins,
        sum(coins.idea_coins) filter (where scopes.counts_coins) as idea_coins,
        sum(coins.top_coins) filter (where scopes.counts_coins) as top_coins,
        sum(coins.placed_coins) filter (where coins.has_late_coins and scopes.counts_coins) as placed_coins,
        sum(coins.late_coins) filter (where coins.has_late_coins and scopes.counts_coins) as late_coins,
        cast(count(*) filter (where coins.has_late_coins and scopes.counts_coins) as double precision)
        / count(*) as late_coverage,
        max(scopes.coins_coverage) as coverage,
        bool_or(scopes.is_suppressed) as is_suppressed
    from {{ ref('int_counted_scopes') }} as scopes
    inner join {{ ref('int_coins_at_moments') }} as coins
        on scopes.campaign_id = coins.campaign_id and scopes.moment = coins.moment
    group by scopes.scope_kind, scopes.scope_id, coins.moment
),

persons as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        participants.moment,
        count(distinct participants.user_id) as persons
    from {{ ref('int_counted_scopes') }} as scopes
    inner join {{ ref('int_participants') }} as participants
        on scopes.campaign_id = participants.campaign_id and scopes.moment = participants.moment
    where scopes.counts_coins
    group by scopes.scope_kind, scopes.scope_id, participants.moment
),

-- Absolute differences are added, since two differences that cancel out are two errors.
differences as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        sum(
            case
                when scopes.scope_kind = 'campaign' then conservation.difference_coins
                else abs(conservation.difference_coins)
            end
        ) as difference_coins,
        sum(case when scopes.counts_coins then conservation.issued_coins + conservation.carried_in_coins end)
            as issued_coins
    from {{ ref('int_counted_scopes') }} as scopes
    inner join {{ ref('int_coin_conservation') }} as conservation
        on scopes.campaign_id = conservation.campaign_id and scopes.moment = 'now'
    group by scopes.scope_kind, scopes.scope_id
),

periods as (
    select
        periods.scope_kind,
        periods.scope_id,
        periods.period,
        periods.moment,
        periods.is_imported,
        coins.granted_coins,
        coins.staked_coins,
        coins.idea_coins,
        coins.top_coins,
        coins.placed_coins,
        coins.late_coins,
        coins.late_coverage,
        coins.coverage,
        coins.is_suppressed,
        persons.persons
    from {{ ref('int_scope_periods') }} as periods
    left join coins
        on
            periods.scope_kind = coins.scope_kind
            and periods.scope_id = coins.scope_id
            and periods.moment = coins.moment
    left join persons
        on
            periods.scope_kind = persons.scope_kind
            and periods.scope_id = persons.scope_id
            and periods.moment = persons.moment
)

select
    scope_kind,
    scope_id,
    period,
    'at_work' as figure,
    cast(null as text) as currency,
    cast(staked_coins as numeric) as numerator,
    cast(granted_coins as numeric) as denominator,
    persons,
    coverage,
    case when is_suppressed then {{ few_people() }} end as unknown_reason
from periods
union all
select
    scope_kind,
    scope_id,
    period,
    'top_share' as figure,
    cast(null as text) as currency,
    cast(top_coins as numeric) as numerator,
    cast(idea_coins as numeric) as denominator,
    persons,
    coverage,
    case when is_suppressed then {{ few_people() }} end as unknown_reason
from periods
union all
select
    scope_kind,
    scope_id,
    period,
    'late_share' as figure,
    cast(null as text) as currency,
    cast(late_coins as numeric) as numerator,
    cast(placed_coins as numeric) as denominator,
    persons,
    late_coverage as coverage,
    case
        when is_imported then 'not in the file'
        when is_suppressed then {{ few_people() }}
    end as unknown_reason
from periods
union all
-- The stored balances are the current ones, so the difference has no previous period.
select
    periods.scope_kind,
    periods.scope_id,
    periods.period,
    'difference' as figure,
    cast(null as text) as currency,
    cast(differences.difference_coins as numeric) as numerator,
    cast(differences.issued_coins as numeric) as denominator,
    cast(null as bigint) as persons,
    cast(null as double precision) as coverage,
    case
        when periods.moment <> 'now' or differences.scope_id is null then 'nothing to count'
        when periods.is_suppressed then {{ few_people() }}
    end as unknown_reason
from periods
left join differences
    on periods.scope_kind = differences.scope_kind and periods.scope_id = differences.scope_id
