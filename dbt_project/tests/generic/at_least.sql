{# No value is below the least that makes sense; unknown is allowed. #}
{% test at_least(model, column_name, least) %}
    select {{ column_name }}
    from {{ model }}
    where {{ column_name }} < {{ least }}
{% endtest %}
