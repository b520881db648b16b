DROP INDEX app.ix_comments_official_at;
DROP TABLE app.campaign_covers;
DROP TABLE app.permalinks;
DROP TABLE app.idea_exports;
