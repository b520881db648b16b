-- Whether a value is a text of 1 to 200 characters and, for a choice, one of the options.
CREATE OR REPLACE FUNCTION app.member_attribute_fits(p_value jsonb, p_kind text, p_options text[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = app, pg_temp AS $$
    SELECT jsonb_typeof(p_value) = 'string' AND length(p_value #>> '{}') BETWEEN 1 AND 200
        AND (p_kind <> 'choice' OR p_value #>> '{}' = ANY (p_options))
$$;
REVOKE ALL ON FUNCTION app.member_attribute_fits(jsonb, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.member_attribute_fits(jsonb, text, text[]) TO ideamint_app;

-- The first attribute of a membership that differs from those of before and that its campaign does not allow; NULL if
-- there is none. A campaign that defines no attributes allows all.
CREATE OR REPLACE FUNCTION app.member_attribute_fault(p_campaign_id uuid, p_before jsonb, p_after jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = app, pg_temp AS $$
    SELECT e.key FROM jsonb_each(p_after) AS e
    LEFT JOIN member_attributes AS d ON d.campaign_id = p_campaign_id AND d.key = e.key
    WHERE p_before -> e.key IS DISTINCT FROM e.value
        AND EXISTS (SELECT FROM member_attributes AS x WHERE x.campaign_id = p_campaign_id)
        AND (d.id IS NULL OR NOT member_attribute_fits(e.value, d.kind, d.options))
    ORDER BY e.key LIMIT 1
$$;
REVOKE ALL ON FUNCTION app.member_attribute_fault(uuid, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION app.member_attribute_fault(uuid, jsonb, jsonb) TO ideamint_app;

-- Refuses memberships whose new or changed attributes their campaign does not allow, for all rows of a statement.
CREATE OR REPLACE FUNCTION app.memberships_check_attributes() RETURNS trigger
LANGUAGE plpgsql SET search_path = app, pg_temp AS $$
DECLARE
    v_campaign_id uuid;
    v_key text;
BEGIN
    IF NOT EXISTS (SELECT FROM added AS a JOIN member_attributes AS d ON d.campaign_id = a.campaign_id) THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        SELECT f.campaign_id, f.key INTO v_campaign_id, v_key
        FROM (
            SELECT a.campaign_id, member_attribute_fault(a.campaign_id, '{}', a.attributes) AS key FROM added AS a
        ) AS f
        WHERE f.key IS NOT NULL LIMIT 1;
    ELSE
        SELECT f.campaign_id, f.key INTO v_campaign_id, v_key
        FROM (
            SELECT a.campaign_id, member_attribute_fault(a.campaign_id, r.attributes, a.attributes) AS key
            FROM added AS a JOIN removed AS r ON r.id = a.id
            WHERE a.attributes IS DISTINCT FROM r.attributes
        ) AS f
        WHERE f.key IS NOT NULL LIMIT 1;
    END IF;
    IF v_key IS NOT NULL THEN
        RAISE EXCEPTION 'the attribute % of a member is not one that the campaign % allows', v_key, v_campaign_id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_memberships_attributes';
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.memberships_check_attributes() FROM PUBLIC;

-- Refuses a definition that repeats an option, or that the values of members do not fit.
CREATE OR REPLACE FUNCTION app.member_attributes_check_values() RETURNS trigger
LANGUAGE plpgsql SET search_path = app, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT o.name FROM unnest(NEW.options) AS o (name) GROUP BY o.name HAVING count(*) > 1) THEN
        RAISE EXCEPTION 'the attribute % has an option twice', NEW.key
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_member_attributes_options';
    END IF;
    IF EXISTS (
        SELECT FROM memberships AS m
        WHERE m.campaign_id = NEW.campaign_id AND m.attributes ? NEW.key
            AND NOT member_attribute_fits(m.attributes -> NEW.key, NEW.kind, NEW.options)
    ) THEN
        RAISE EXCEPTION 'members have values of the attribute % that it does not allow', NEW.key
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ck_member_attributes_values';
    END IF;
    RETURN NULL;
END $$;
REVOKE ALL ON FUNCTION app.member_attributes_check_values() FROM PUBLIC;
