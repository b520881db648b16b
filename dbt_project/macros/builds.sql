{#
  The first statement of a model's transaction: it fails unless the build that this process belongs to is still running.
  The row stays locked until the transaction ends, so no other build begins meanwhile. The name of the connection lets the
  next build find and terminate it. `pipelines.builds` explains the tables.
#}
{% macro confirm_build() -%}
do $$
declare
    v_build_id bigint = nullif(current_setting('ideamint.build_id', true), '');
begin
    if v_build_id is null then
        raise exception 'dbt builds only inside `ideamint refresh` or a run of Dagster, which hold the build lock';
    end if;
    perform set_config('application_name', 'ideamint build ' || v_build_id, false);
    perform from builds.builds where build_id = v_build_id and status = 'running' for share;
    if not found then
        raise exception using message = 'build ' || v_build_id || ' is not running any more: another build ended it';
    end if;
end
$$
{%- endmacro %}

{# The last statement of a mart's transaction: the mart carries the id of its build. #}
{% macro record_mart() -%}
insert into builds.marts (mart, build_id)
values ('{{ this.identifier }}', cast(current_setting('ideamint.build_id') as bigint))
on conflict (mart) do update set build_id = excluded.build_id
{%- endmacro %}
