DROP TABLE app.campaign_covers;
DROP TABLE app.permalinks;
DROP TABLE app.idea_exports;
