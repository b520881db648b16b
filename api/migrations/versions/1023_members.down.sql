DO $$ BEGIN
    IF EXISTS (SELECT FROM app.memberships WHERE role IN ('observer', 'moderator')) THEN
        RAISE EXCEPTION 'app.memberships holds roles that the earlier release does not know; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.campaign_invitations) THEN
        RAISE EXCEPTION 'app.campaign_invitations holds invitations; not downgraded';
    END IF;
END $$;
DROP TABLE app.campaign_invitations;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.campaigns WHERE join_policy = 'by_request') THEN
        RAISE EXCEPTION 'app.campaigns holds campaigns that are joined by request; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.join_requests) THEN
        RAISE EXCEPTION 'app.join_requests holds requests; not downgraded';
    END IF;
END $$;
DROP TABLE app.join_requests;
ALTER TABLE app.campaigns
    DROP CONSTRAINT ck_campaigns_join_policy,
    ADD CONSTRAINT ck_campaigns_join_policy CHECK (join_policy IN ('open', 'by_manager'));
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.memberships WHERE was_removed) THEN
        RAISE EXCEPTION 'app.memberships holds removed members, who could join again; not downgraded';
    END IF;
END $$;
ALTER TABLE app.memberships
    DROP COLUMN was_removed,
    DROP CONSTRAINT ck_memberships_role,
    ADD CONSTRAINT ck_memberships_role CHECK (role IN ('member', 'manager'));
