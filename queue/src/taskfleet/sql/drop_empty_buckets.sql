-- Forget buckets of the backlog in which nothing waits any more. A sum below zero stays: its other half is not folded yet.
--
-- Returns one row: how many.
WITH dropped AS (
    DELETE FROM taskfleet.backlog_buckets
    WHERE backlog_buckets.waiting = 0
    RETURNING backlog_buckets.kind_id
)
SELECT count(*) FROM dropped;
