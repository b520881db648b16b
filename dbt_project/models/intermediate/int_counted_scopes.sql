-- The campaigns that the figures of a scope count. The organisation's figures leave out campaigns whose own figures are
-- hidden: otherwise those could be computed as the organisation's minus the figures of the other campaigns. The
-- coverage is the share of the scope's campaigns that are counted.
with counted as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        scopes.campaign_id,
        scopes.is_imported,
        sizes.moment,
        scopes.scope_kind = 'campaign' or not sizes.has_few_members as counts_people,
        scopes.scope_kind = 'campaign' or not sizes.is_suppressed as counts_coins,
        scopes.scope_kind = 'campaign' and sizes.is_suppressed as is_suppressed
    from {{ ref('int_scopes') }} as scopes
    inner join {{ ref('int_campaign_sizes') }} as sizes
        on scopes.campaign_id = sizes.campaign_id
)

select
    scope_kind,
    scope_id,
    campaign_id,
    is_imported,
    moment,
    counts_people,
    counts_coins,
    is_suppressed,
    cast(avg(cast(counts_people as integer)) over scope_at_moment as double precision) as people_coverage,
    cast(avg(cast(counts_coins as integer)) over scope_at_moment as double precision) as coins_coverage
from counted
window scope_at_moment as (partition by scope_kind, scope_id, moment)
