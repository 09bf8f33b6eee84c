-- Waits no longer for whoever holds a table, and is tried again: others would wait behind it.
SET LOCAL lock_timeout = '5s';

-- When the node last saw all its servers: a row of servers is written only when the server has changed. Null: a node of an older
-- version, which writes all rows each time.
ALTER TABLE nodes ADD COLUMN inventory_at timestamptz;

-- Which host a node is: two hosts of one name would destroy each other's inventory. Null: a node of an older version.
ALTER TABLE nodes ADD COLUMN host_id text;

-- No new jobs are accepted for a node that is drained.
ALTER TABLE nodes ADD COLUMN is_drained boolean NOT NULL DEFAULT false;
