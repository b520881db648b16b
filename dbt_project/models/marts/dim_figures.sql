select
    figure,
    question,
    question_order,
    figure_order,
    title,
    unit,
    definition,
    better
from {{ ref('figures') }}
