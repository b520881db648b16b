DO $$ BEGIN
    IF EXISTS (SELECT FROM app.member_attributes) THEN
        RAISE EXCEPTION 'app.member_attributes holds attributes that campaigns have defined; not downgraded';
    END IF;
END $$;
DO $$ BEGIN
    IF EXISTS (SELECT FROM app.join_requests WHERE status = 'withdrawn' OR attributes <> '{}') THEN
        RAISE EXCEPTION 'app.join_requests holds requests that the earlier release does not know; not downgraded';
    END IF;
END $$;
DROP TABLE app.campaign_invitation_mails;
DROP TABLE app.join_request_notices;
DROP INDEX app.ix_join_requests_open;
ALTER TABLE app.join_requests
    DROP COLUMN attributes,
    DROP CONSTRAINT ck_join_requests_status,
    ADD CONSTRAINT ck_join_requests_status CHECK (status IN ('open', 'approved', 'refused'));
DROP INDEX app.ix_memberships_current;
DROP TABLE app.member_attributes;
