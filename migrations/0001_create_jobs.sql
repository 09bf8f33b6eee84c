-- A request to snapshot one server, and what became of it.
CREATE TABLE jobs (
    id                uuid        NOT NULL,
    server_id         uuid        NOT NULL,
    server_name       text        NOT NULL,
    node              text        NOT NULL,
    request           jsonb       NOT NULL,
    status            text        NOT NULL,
    step              text        NOT NULL,
    capture           text,
    capture_reason    text,
    disks             jsonb       NOT NULL DEFAULT '[]',
    bytes_per_second  bigint,
    consistency       text,
    guest_downtime_ms bigint,
    freeze_ms         bigint,
    attempts          integer     NOT NULL DEFAULT 0,
    warnings          jsonb       NOT NULL DEFAULT '[]',
    error             jsonb,
    cancel_requested  boolean     NOT NULL DEFAULT false,
    -- Grows with each write that a client can see; the ETag.
    version           bigint      NOT NULL DEFAULT 1,
    -- Grows with each claim; a worker that holds an older one writes nothing.
    fence             bigint      NOT NULL DEFAULT 0,
    lease_expires_at  timestamptz,
    -- Id of the job's last delivery in Hangfire; null between the insert and the enqueue.
    delivery          text,
    queued_at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    created_at        timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at        timestamptz,
    finished_at       timestamptz,
    CONSTRAINT pk_jobs PRIMARY KEY (id),
    CONSTRAINT ck_jobs_status CHECK (status IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')),
    CONSTRAINT ck_jobs_finished CHECK ((status IN ('queued', 'running')) = (finished_at IS NULL)),
    CONSTRAINT ck_jobs_lease CHECK ((status = 'running') = (lease_expires_at IS NOT NULL))
);

-- One active job per server, whoever inserts and whenever.
CREATE UNIQUE INDEX ux_jobs_active_server ON jobs (server_id) WHERE status IN ('queued', 'running');
CREATE INDEX ix_jobs_created ON jobs (created_at DESC, id DESC);
CREATE INDEX ix_jobs_server_created ON jobs (server_id, created_at DESC, id DESC);
CREATE INDEX ix_jobs_active_node ON jobs (node) WHERE status IN ('queued', 'running');

-- The step log of a job. (run, ordinal) names an event for its writer, so that a write that is repeated after a lost answer adds nothing;
-- sequence is the order that readers see.
CREATE TABLE job_events (
    job_id      uuid        NOT NULL,
    sequence    bigint      NOT NULL,
    run         bigint      NOT NULL,
    ordinal     integer     NOT NULL,
    at          timestamptz NOT NULL,
    kind        text        NOT NULL,
    step        text        NOT NULL,
    message     text,
    duration_ms bigint,
    CONSTRAINT pk_job_events PRIMARY KEY (job_id, sequence),
    CONSTRAINT uq_job_events_run UNIQUE (job_id, run, ordinal),
    CONSTRAINT fk_job_events_job FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE
);

CREATE INDEX ix_job_events_at ON job_events (at);

CREATE FUNCTION bump_job_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := OLD.version + 1;
    RETURN NEW;
END
$$;

-- Told at commit, so a listener that reads the row then sees the change.
CREATE FUNCTION notify_job() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('snapshotapi_job', NEW.id::text);
    RETURN NULL;
END
$$;

-- Every column that a client can see; renewing a lease or noting a delivery is no change to it.
CREATE TRIGGER tr_jobs_version
    BEFORE UPDATE OF server_name, node, request, status, step, capture, capture_reason, disks, bytes_per_second, consistency,
        guest_downtime_ms, freeze_ms, attempts, warnings, error, cancel_requested, started_at, finished_at
    ON jobs FOR EACH ROW EXECUTE FUNCTION bump_job_version();

CREATE TRIGGER tr_jobs_notify
    AFTER INSERT OR UPDATE OF server_name, node, request, status, step, capture, capture_reason, disks, bytes_per_second, consistency,
        guest_downtime_ms, freeze_ms, attempts, warnings, error, cancel_requested, started_at, finished_at
    ON jobs FOR EACH ROW EXECUTE FUNCTION notify_job();
