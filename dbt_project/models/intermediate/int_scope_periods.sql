-- The combinations for which every figure is computed. An imported election has no times, so it has only one period.
with scopes as (
    select
        'campaign' as scope_kind,
        cast(campaign_id as text) as scope_id,
        is_imported,
        {{ utc_date('coalesce(activated_at, starts_at, created_at)') }} as first_on
    from {{ ref('int_campaigns') }}
    union all
    select
        'organisation' as scope_kind,
        'organisation' as scope_id,
        false as is_imported,
        {{ utc_date('min(activated_at)') }} as first_on
    from {{ ref('int_campaigns') }}
    where not is_imported
)

select
    scopes.scope_kind,
    scopes.scope_id,
    scopes.is_imported,
    periods.period,
    periods.moment,
    coalesce(periods.starts_on, scopes.first_on) as starts_on,
    periods.ends_on
from scopes
inner join {{ ref('int_periods') }} as periods
    on periods.period = 'to_date' or not scopes.is_imported
