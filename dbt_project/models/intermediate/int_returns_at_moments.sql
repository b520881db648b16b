-- Costs and values of an idea as known at each moment.
--
-- Each idea has one currency: the campaign's if a valuation uses it, otherwise that of the latest valuation. Valuations
-- in other currencies are not used. A later valuation of a kind replaces the earlier one.
with valuations as (
    select
        moments.moment,
        valuations.idea_id,
        valuations.idea_valuation_id,
        valuations.kind,
        valuations.amount,
        valuations.currency,
        valuations.valued_on,
        valuations.recorded_at,
        coalesce(valuations.currency = campaigns.currency, false) as is_in_campaign_currency
    from {{ ref('stg_app__idea_valuations') }} as valuations
    inner join {{ ref('int_ideas') }} as ideas
        on valuations.idea_id = ideas.idea_id
    inner join {{ ref('int_campaigns') }} as campaigns
        on ideas.campaign_id = campaigns.campaign_id
    inner join {{ ref('int_moments') }} as moments
        on moments.moment = 'now' or valuations.valued_on <= {{ utc_date('moments.taken_at') }}
),

currencies as (
    select distinct on (moment, idea_id)
        moment,
        idea_id,
        currency
    from valuations
    order by
        moment asc,
        idea_id asc,
        is_in_campaign_currency desc,
        valued_on desc,
        recorded_at desc,
        idea_valuation_id desc
),

latest as (
    select distinct on (valuations.moment, valuations.idea_id, valuations.kind)
        valuations.moment,
        valuations.idea_id,
        valuations.kind,
        valuations.amount,
        valuations.valued_on
    from valuations
    inner join currencies
        on
            valuations.moment = currencies.moment
            and valuations.idea_id = currencies.idea_id
            and valuations.currency = currencies.currency
    order by
        valuations.moment asc,
        valuations.idea_id asc,
        valuations.kind asc,
        valuations.valued_on desc,
        valuations.recorded_at desc,
        valuations.idea_valuation_id desc
),

valued as (
    select
        moment,
        idea_id,
        max(amount) filter (where kind = 'expected_cost') as expected_cost,
        max(amount) filter (where kind = 'realised_cost') as realised_cost,
        max(amount) filter (where kind = 'expected_value') as expected_value,
        max(amount) filter (where kind = 'realised_value') as realised_value,
        max(valued_on) as as_of
    from latest
    group by moment, idea_id
),

ideas as (
    select
        idea_states.moment,
        idea_states.idea_id,
        currencies.currency,
        valued.expected_cost,
        valued.realised_cost,
        valued.expected_value,
        valued.as_of,
        cast(
            case
                when idea_states.status = 'stopped' then coalesce(valued.realised_value, 0)
                else valued.realised_value
            end
            as numeric(18, 2)
        ) as realised_value
    from {{ ref('int_ideas_at_moments') }} as idea_states
    left join currencies
        on idea_states.moment = currencies.moment and idea_states.idea_id = currencies.idea_id
    left join valued
        on idea_states.moment = valued.moment and idea_states.idea_id = valued.idea_id
)

select
    moment,
    idea_id,
    currency,
    expected_cost,
    realised_cost,
    expected_value,
    realised_value,
    as_of,
    realised_cost is not null and realised_value is not null as has_both
from ideas
