-- Merge buckets of the backlog that have aged into wider ones.
--
--   limit  integer  most buckets
--
-- Returns one row: how many were merged. Readers widen for themselves: one that is merged late changes no answer.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
aged AS (
    DELETE FROM taskfleet.backlog_buckets
    WHERE ctid = ANY (ARRAY(
        SELECT backlog_buckets.ctid
        FROM taskfleet.backlog_buckets CROSS JOIN clock
        WHERE backlog_buckets.bucket <> taskfleet.backlog_bucket(backlog_buckets.bucket, clock.now)
        LIMIT %(limit)s::integer
    ))
    RETURNING kind_id, priority, bucket, waiting
),
merged AS (
    INSERT INTO taskfleet.backlog_buckets AS known (kind_id, priority, bucket, waiting)
    SELECT aged.kind_id, aged.priority, taskfleet.backlog_bucket(aged.bucket, clock.now), sum(aged.waiting)
    FROM aged CROSS JOIN clock
    GROUP BY 1, 2, 3
    ON CONFLICT (kind_id, priority, bucket) DO UPDATE SET waiting = known.waiting + excluded.waiting
)
SELECT count(*) FROM aged;
