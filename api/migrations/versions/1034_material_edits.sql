-- Material edits of ideas, with a time in which backers may take coins back; anonymous ideas.
ALTER TABLE app.coin_policies
    ADD COLUMN grace_h integer NOT NULL DEFAULT 24
        CONSTRAINT ck_coin_policies_grace_h CHECK (grace_h BETWEEN 0 AND 720);

-- The coins that were on the idea at grace_from may be taken back until grace_until, which is included; no decision on
-- the idea takes effect before. Both are null if there was no such time.
ALTER TABLE app.coin_targets
    ADD COLUMN grace_from timestamptz,
    ADD COLUMN grace_until timestamptz,
    ADD CONSTRAINT ck_coin_targets_grace
        CHECK ((grace_from IS NULL) = (grace_until IS NULL) AND grace_from <= grace_until) NOT VALID;

-- Which versions a manager has marked as material, append-only; each at most once. `grace_until` is null if no coins
-- were on the idea.
CREATE TABLE app.idea_material_edits (
    idea_id uuid NOT NULL,
    version integer NOT NULL CONSTRAINT ck_idea_material_edits_version CHECK (version > 1),
    reason text NOT NULL CONSTRAINT ck_idea_material_edits_reason_length CHECK (length(reason) BETWEEN 1 AND 2000),
    marked_at timestamptz NOT NULL,
    marked_by uuid,
    grace_until timestamptz CONSTRAINT ck_idea_material_edits_grace_until CHECK (grace_until >= marked_at),
    CONSTRAINT pk_idea_material_edits PRIMARY KEY (idea_id, version),
    CONSTRAINT fk_idea_material_edits_version_idea_versions
        FOREIGN KEY (idea_id, version) REFERENCES app.idea_versions (idea_id, version)
);
GRANT SELECT, INSERT ON app.idea_material_edits TO ideamint_app;
GRANT SELECT (idea_id, version, marked_at, grace_until) ON app.idea_material_edits TO ideamint_dbt;

ALTER TABLE app.campaigns ADD COLUMN anonymous_ideas boolean NOT NULL DEFAULT false;
-- an idea without an author, from an import, has no one to hide
ALTER TABLE app.ideas
    ADD COLUMN is_anonymous boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT ck_ideas_is_anonymous CHECK (NOT is_anonymous OR author_id IS NOT NULL) NOT VALID;
