-- What the stores hold of ours.
CREATE TABLE images (
    id                 uuid        NOT NULL,
    store              text        NOT NULL,
    location           text        NOT NULL,
    format             text        NOT NULL,
    size_bytes         bigint      NOT NULL,
    digest_algorithm   text        NOT NULL,
    digest_value       text        NOT NULL,
    name               text        NOT NULL,
    job_id             uuid        NOT NULL,
    server_id          uuid        NOT NULL,
    server_name        text        NOT NULL,
    node               text        NOT NULL,
    target             text        NOT NULL,
    virtual_size_bytes bigint      NOT NULL,
    properties         jsonb       NOT NULL DEFAULT '{}',
    created_at         timestamptz NOT NULL,
    CONSTRAINT pk_images PRIMARY KEY (id)
);

CREATE INDEX ix_images_created ON images (created_at DESC, id DESC);
CREATE INDEX ix_images_server_created ON images (server_id, created_at DESC, id DESC);
CREATE INDEX ix_images_job ON images (job_id);
