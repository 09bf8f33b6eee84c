-- A record in Glance that was made before its job, for a client of Nova's that looks for its image there from the beginning. The row is
-- written before the record and deleted when nothing is left to do for it: after a job that succeeded, older backups are rotated away;
-- after any other end, the record is deleted. A row without job is of a request that was not accepted, or is being so.
CREATE TABLE image_reservations (
    image_id     uuid        NOT NULL,
    job_id       uuid        NOT NULL,
    server_id    uuid        NOT NULL,
    project_id   text        NOT NULL,
    -- Null for a snapshot.
    backup_type  text,
    -- How many backups of that type are kept; null: all.
    rotation     bigint,
    created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- What Glance refused is tried again after longer and longer times.
    attempts     integer     NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_image_reservations PRIMARY KEY (image_id),
    CONSTRAINT uq_image_reservations_job UNIQUE (job_id),
    CONSTRAINT ck_image_reservations_rotation CHECK ((backup_type IS NULL) = (rotation IS NULL))
);
