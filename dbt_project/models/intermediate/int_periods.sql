select
    'to_date' as period,
    'now' as moment,
    cast(null as date) as starts_on,
    {{ utc_date(as_of()) }} as ends_on
union all
select
    'last_30_days' as period,
    'now' as moment,
    {{ utc_date(as_of()) }} - 29 as starts_on,
    {{ utc_date(as_of()) }} as ends_on
union all
select
    'previous_30_days' as period,
    'before' as moment,
    {{ utc_date(as_of()) }} - 59 as starts_on,
    {{ utc_date(as_of()) }} - 30 as ends_on
