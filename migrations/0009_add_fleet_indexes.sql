-- Waits no longer for whoever holds a table, and is tried again: others would wait behind it.
SET LOCAL lock_timeout = '5s';

-- What lists and upkeep look for, so that their cost does not grow with what stands still.
CREATE INDEX ix_jobs_node_created ON jobs (node, created_at DESC, id DESC);
CREATE INDEX ix_jobs_unsuccessful_created ON jobs (created_at DESC, id DESC) WHERE status IN ('failed', 'cancelled');
CREATE INDEX ix_jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX ix_idempotency_keys_job ON idempotency_keys (job_id);

-- Pages of servers: names by their bytes, whatever the collation of the database.
CREATE INDEX ix_servers_page ON servers (name COLLATE "C", id, node);
CREATE INDEX ix_servers_nova_page ON servers ((coalesce(description->'nova'->>'name', name) COLLATE "C"), id);
CREATE INDEX ix_servers_lower_name ON servers (lower(name));
CREATE INDEX ix_servers_nova_project ON servers (lower(description->'nova'->>'projectId'));
