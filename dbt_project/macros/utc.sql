{# Days are days in UTC, independent of the server's time zone. #}
{% macro utc_date(moment) -%}
    cast(({{ moment }}) at time zone 'UTC' as date)
{%- endmacro %}

{% macro utc_month(moment) -%}
    cast(date_trunc('month', ({{ moment }}) at time zone 'UTC') as date)
{%- endmacro %}

{% macro utc_midnight(day) -%}
    (cast({{ day }} as timestamp) at time zone 'UTC')
{%- endmacro %}
