-- Arguments are ids: UUIDs or numbers, never an address, a token or a text, because rows of this table are kept for a
-- week.
ALTER TABLE jobs.procrastinate_jobs ADD CONSTRAINT ck_procrastinate_jobs_args_are_ids CHECK (
    jsonb_typeof(args) = 'object' AND NOT jsonb_path_exists(
        args,
        'strict $.* ? (!(@.type() == "number" || (@.type() == "string"
            && @ like_regex "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")))'
    )
);
