DO $$ BEGIN
    IF EXISTS (SELECT FROM app.ideas WHERE is_anonymous)
        OR EXISTS (SELECT FROM app.campaigns WHERE anonymous_ideas) THEN
        RAISE EXCEPTION 'ideas are anonymous, or may be, which the earlier release would disclose; not downgraded';
    END IF;
    IF EXISTS (SELECT FROM app.idea_material_edits) THEN
        RAISE EXCEPTION 'app.idea_material_edits holds marks, which would be lost; not downgraded';
    END IF;
    IF EXISTS (SELECT FROM app.coin_policies WHERE grace_h <> 24) THEN
        RAISE EXCEPTION 'app.coin_policies holds values of grace_h, which would be lost; not downgraded';
    END IF;
END $$;
-- it depends on the column
DROP TRIGGER ideas_anonymity_fixed ON app.ideas;
ALTER TABLE app.ideas DROP COLUMN is_anonymous;
ALTER TABLE app.campaigns DROP COLUMN anonymous_ideas;
DROP TABLE app.idea_material_edits;
ALTER TABLE app.coin_targets DROP COLUMN grace_from, DROP COLUMN grace_until;
ALTER TABLE app.coin_policies DROP COLUMN grace_h;
