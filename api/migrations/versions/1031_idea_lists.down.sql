DO $$ BEGIN
    IF EXISTS (SELECT FROM app.idea_views) THEN
        RAISE EXCEPTION 'app.idea_views holds saved views, which would be lost; not downgraded';
    END IF;
END $$;
DROP TABLE app.idea_views, app.idea_coin_days, app.idea_figures;
DROP INDEX app.ix_ideas_newest, app.ix_ideas_title, app.ix_ideas_shuffled, app.ix_ideas_updated_at;
DROP INDEX app.ix_idea_tags_name_lower;
