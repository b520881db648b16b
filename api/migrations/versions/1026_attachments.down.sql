DROP TABLE app.attachment_objects;
DROP TABLE app.attachments;
