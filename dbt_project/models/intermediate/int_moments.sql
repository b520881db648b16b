-- The two moments at which stocks (members, stakes, statuses) are measured: now, and the end of the previous period.
select
    'now' as moment,
    {{ as_of() }} as taken_at
union all
select
    'before' as moment,
    {{ utc_midnight(utc_date(as_of()) ~ ' - 29') }} as taken_at
