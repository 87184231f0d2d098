-- Fold changes of the backlog into its sums.
--
--   limit  integer  most ledger rows
--
-- Returns one row: how many ledger rows were folded. Only one at a time (the job's lock), beside any number of writers.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
taken AS (
    DELETE FROM taskfleet.backlog_ledger
    WHERE ctid = ANY (ARRAY(SELECT ctid FROM taskfleet.backlog_ledger LIMIT %(limit)s::integer))
    RETURNING kind_id, priority, bucket, delta
),
folded AS (
    INSERT INTO taskfleet.backlog_buckets AS known (kind_id, priority, bucket, waiting)
    SELECT taken.kind_id, taken.priority, taskfleet.backlog_bucket(taken.bucket, clock.now), sum(taken.delta)
    FROM taken CROSS JOIN clock
    GROUP BY 1, 2, 3
    ON CONFLICT (kind_id, priority, bucket) DO UPDATE SET waiting = known.waiting + excluded.waiting
)
SELECT count(*) FROM taken;
