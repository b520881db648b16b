-- The reason why a figure is unknown, in this order: the reason of its own model, too few people, nothing to divide by.
-- An unknown figure has no numerator and no denominator, since they would reveal its value.
with figures as (
    {%- for part in ['people', 'ideas', 'returns', 'coins'] %}
        select
            scope_kind,
            scope_id,
            period,
            figure,
            currency,
            numerator,
            denominator,
            persons,
            coverage,
            unknown_reason
        from {{ ref('int_figures_' ~ part) }}
        {%- if not loop.last %}
            union all
        {%- endif %}
    {%- endfor %}
),

evaluated as (
    select
        figures.scope_kind,
        figures.scope_id,
        figures.period,
        figures.figure,
        figures.currency,
        figures.numerator,
        figures.denominator,
        figures.coverage,
        definitions.unit in ('count', 'coins') as is_amount,
        case
            when figures.unknown_reason is not null then figures.unknown_reason
            when {{ is_few('figures.persons') }} then {{ few_people() }}
            when definitions.unit in ('count', 'coins') and figures.numerator is not null then null
            when coalesce(figures.denominator, 0) = 0 then 'nothing to count'
        end as unknown_reason
    from figures
    inner join {{ ref('figures') }} as definitions
        on figures.figure = definitions.figure
)

select
    evaluated.scope_kind,
    evaluated.scope_id,
    evaluated.period,
    periods.starts_on as period_starts_on,
    periods.ends_on as period_ends_on,
    evaluated.figure,
    evaluated.currency,
    cast(case when evaluated.unknown_reason is null then evaluated.numerator end as numeric(18, 2)) as numerator,
    cast(case when evaluated.unknown_reason is null then evaluated.denominator end as numeric(18, 2)) as denominator,
    cast(
        case
            when evaluated.unknown_reason is not null then null
            when evaluated.is_amount then evaluated.numerator
            else evaluated.numerator / evaluated.denominator
        end as double precision
    ) as value,
    case when evaluated.unknown_reason is null then coalesce(evaluated.coverage, 1) end as coverage,
    evaluated.unknown_reason
from evaluated
inner join {{ ref('int_scope_periods') }} as periods
    on
        evaluated.scope_kind = periods.scope_kind
        and evaluated.scope_id = periods.scope_id
        and evaluated.period = periods.period
