{# The current moment of a build: its start, or the variable as_of (ISO 8601), so that a build can be repeated. #}
{% macro as_of() -%}
    timestamptz '{{ var("as_of", none) or run_started_at.isoformat() }}'
{%- endmacro %}
