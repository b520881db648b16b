-- What did it return? For ideas ever accepted, separately for each currency. ROI uses ideas with a realised cost and a
-- realised value; delivery uses those that also have an expected value.
with moments as (
    select distinct
        scope_kind,
        scope_id,
        is_imported,
        period,
        moment
    from {{ ref('int_scope_periods') }}
),

ideas as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        idea_states.moment,
        returns.currency,
        returns.realised_cost,
        returns.realised_value,
        returns.expected_value,
        returns.has_both
    from {{ ref('int_scopes') }} as scopes
    inner join {{ ref('int_ideas_at_moments') }} as idea_states
        on scopes.campaign_id = idea_states.campaign_id and idea_states.is_accepted
    inner join {{ ref('int_returns_at_moments') }} as returns
        on idea_states.idea_id = returns.idea_id and idea_states.moment = returns.moment
    where not scopes.is_imported
),

accepted as (
    select
        scope_kind,
        scope_id,
        moment,
        count(*) as ideas,
        count(*) filter (where has_both) as ideas_with_both
    from ideas
    group by scope_kind, scope_id, moment
),

-- An idea without a valuation counts in the currency of its campaign.
accepted_by_currency as (
    select
        scopes.scope_kind,
        scopes.scope_id,
        idea_states.moment,
        coalesce(returns.currency, campaigns.currency) as currency,
        count(*) as ideas
    from {{ ref('int_scopes') }} as scopes
    inner join {{ ref('int_campaigns') }} as campaigns
        on scopes.campaign_id = campaigns.campaign_id
    inner join {{ ref('int_ideas_at_moments') }} as idea_states
        on scopes.campaign_id = idea_states.campaign_id and idea_states.is_accepted
    inner join {{ ref('int_returns_at_moments') }} as returns
        on idea_states.idea_id = returns.idea_id and idea_states.moment = returns.moment
    where not scopes.is_imported
    group by scopes.scope_kind, scopes.scope_id, idea_states.moment, coalesce(returns.currency, campaigns.currency)
),

by_currency as (
    select
        scope_kind,
        scope_id,
        moment,
        currency,
        sum(realised_value - realised_cost) as gain,
        sum(realised_cost) as cost,
        sum(realised_value) filter (where expected_value is not null) as delivered_value,
        sum(expected_value) as expected_value_total,
        count(*) as ideas_with_both,
        count(expected_value) as ideas_with_expected_value
    from ideas
    where has_both
    group by scope_kind, scope_id, moment, currency
)

select
    moments.scope_kind,
    moments.scope_id,
    moments.period,
    'roi' as figure,
    by_currency.currency,
    cast(by_currency.gain as numeric) as numerator,
    cast(by_currency.cost as numeric) as denominator,
    cast(null as bigint) as persons,
    cast(by_currency.ideas_with_both as double precision) / accepted_by_currency.ideas as coverage,
    case when moments.is_imported then 'not in the file' end as unknown_reason
from moments
left join by_currency
    on
        moments.scope_kind = by_currency.scope_kind
        and moments.scope_id = by_currency.scope_id
        and moments.moment = by_currency.moment
left join accepted_by_currency
    on
        by_currency.scope_kind = accepted_by_currency.scope_kind
        and by_currency.scope_id = accepted_by_currency.scope_id
        and by_currency.moment = accepted_by_currency.moment
        and by_currency.currency = accepted_by_currency.currency
union all
select
    moments.scope_kind,
    moments.scope_id,
    moments.period,
    'delivery' as figure,
    by_currency.currency,
    cast(by_currency.delivered_value as numeric) as numerator,
    cast(by_currency.expected_value_total as numeric) as denominator,
    cast(null as bigint) as persons,
    cast(by_currency.ideas_with_expected_value as double precision) / accepted_by_currency.ideas as coverage,
    case when moments.is_imported then 'not in the file' end as unknown_reason
from moments
left join by_currency
    on
        moments.scope_kind = by_currency.scope_kind
        and moments.scope_id = by_currency.scope_id
        and moments.moment = by_currency.moment
left join accepted_by_currency
    on
        by_currency.scope_kind = accepted_by_currency.scope_kind
        and by_currency.scope_id = accepted_by_currency.scope_id
        and by_currency.moment = accepted_by_currency.moment
        and by_currency.currency = accepted_by_currency.currency
union all
select
    moments.scope_kind,
    moments.scope_id,
    moments.period,
    'coverage' as figure,
    cast(null as text) as currency,
    cast(accepted.ideas_with_both as numeric) as numerator,
    cast(accepted.ideas as numeric) as denominator,
    cast(null as bigint) as persons,
    cast(null as double precision) as coverage,
    case when moments.is_imported then 'not in the file' end as unknown_reason
from moments
left join accepted
    on
        moments.scope_kind = accepted.scope_kind
        and moments.scope_id = accepted.scope_id
        and moments.moment = accepted.moment
