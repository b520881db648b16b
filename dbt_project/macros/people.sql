{# Nothing is shown for a group under this many persons. #}
{% macro people_min() -%}5{%- endmacro %}
