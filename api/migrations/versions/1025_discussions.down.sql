DROP TABLE app.idea_milestones;
DROP TABLE app.idea_owners;
DROP TABLE app.idea_followers;
DROP TABLE app.comments;
