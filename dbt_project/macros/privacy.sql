{# The rule for small groups: a count from 1 to group_size_min - 1 is few. #}
{% macro is_few(people) -%}
    ({{ people }} > 0 and {{ people }} < {{ var('group_size_min') }})
{%- endmacro %}

{# A count of people, or null if it is few. #}
{% macro shown_count(people) -%}
    case when not {{ is_few(people) }} then {{ people }} end
{%- endmacro %}

{# The reason for a figure of a small group. Readers have the same text as pipelines.wording.FEWER_PEOPLE. #}
{% macro few_people() -%}
    'fewer than {{ var('group_size_min') }} people'
{%- endmacro %}
