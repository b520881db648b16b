-- Worker processes by host and process id, with the time of their last heartbeat.
CREATE TABLE app.worker_heartbeats (
    worker text NOT NULL,
    started_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    CONSTRAINT pk_worker_heartbeats PRIMARY KEY (worker)
);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.worker_heartbeats TO ideamint_app;
