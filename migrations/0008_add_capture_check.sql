-- What the node's canaries have shown of its captures. Null: nothing is known, or the node is of an older version, which leaves it alone.
ALTER TABLE nodes ADD COLUMN capture_check jsonb;
