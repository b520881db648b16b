-- Creates the partitions of app.events for this month and the next `p_months` that do not exist yet, by the UTC month
-- of recorded_at. Returns how many it created.
CREATE OR REPLACE FUNCTION app.prepare_event_partitions(p_months integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = app, pg_temp AS $$
DECLARE
    v_month date;
    v_created integer := 0;
BEGIN
    FOR v_month IN
        SELECT generate_series(date_trunc('month', now() AT TIME ZONE 'UTC'),
            date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => p_months),
            interval '1 month')::date
    LOOP
        IF to_regclass('app.events_' || to_char(v_month, 'YYYYMM')) IS NULL THEN
            EXECUTE format(
                'CREATE TABLE app.%I PARTITION OF app.events FOR VALUES FROM (%L) TO (%L)',
                'events_' || to_char(v_month, 'YYYYMM'),
                to_char(v_month, 'YYYY-MM-DD') || ' 00:00+00',
                to_char(v_month + interval '1 month', 'YYYY-MM-DD') || ' 00:00+00');
            v_created := v_created + 1;
        END IF;
    END LOOP;
    RETURN v_created;
END $$;
REVOKE ALL ON FUNCTION app.prepare_event_partitions(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.prepare_event_partitions(integer) TO ideamint_app;
