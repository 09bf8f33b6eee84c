-- Which job answered a request with an Idempotency-Key. Two requests with one key meet at the primary key: the second waits for
-- the first to commit, and then answers the same job.
CREATE TABLE idempotency_keys (
    key        text        NOT NULL,
    body_hash  bytea       NOT NULL,
    job_id     uuid        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (key),
    CONSTRAINT fk_idempotency_keys_job FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED
);

CREATE INDEX ix_idempotency_keys_created ON idempotency_keys (created_at);
