-- A host that runs libvirt, as it last told of itself.
CREATE TABLE nodes (
    name                 text        NOT NULL,
    capabilities         jsonb,
    hypervisor_connected boolean     NOT NULL,
    service_version      text        NOT NULL,
    work_free_bytes      bigint      NOT NULL,
    store_free_bytes     bigint      NOT NULL,
    max_jobs             integer     NOT NULL,
    running_jobs         integer     NOT NULL,
    problems             jsonb       NOT NULL DEFAULT '[]',
    seen_at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_nodes PRIMARY KEY (name)
);

-- A server as its node last saw it. One that migrates is on two nodes for a while.
CREATE TABLE servers (
    node        text        NOT NULL,
    id          uuid        NOT NULL,
    name        text        NOT NULL,
    description jsonb       NOT NULL,
    seen_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT pk_servers PRIMARY KEY (node, id),
    CONSTRAINT fk_servers_node FOREIGN KEY (node) REFERENCES nodes (name) ON DELETE CASCADE
);

CREATE INDEX ix_servers_id ON servers (id);
CREATE INDEX ix_servers_name ON servers (name);
