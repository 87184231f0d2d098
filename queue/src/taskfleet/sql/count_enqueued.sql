-- Write a batch of new tasks into both ledgers, in the transaction that stores them.
--
--   kind_ids    integer[]      groups of tasks of one kind,
--   priorities  smallint[]     one priority
--   buckets     timestamptz[]  and one 5-second bucket of run_at
--   counts      integer[]      with how many tasks
--   now         timestamptz    as reserve_tasks.sql returned it
--
-- Returns nothing.
-- The start of a 5-second bucket lies in the same wider bucket as every task in it, whatever its age (backlog_bucket).
WITH given AS MATERIALIZED (
    SELECT kind_id, priority, bucket, count
    FROM unnest(%(kind_ids)s::integer[], %(priorities)s::smallint[], %(buckets)s::timestamptz[], %(counts)s::integer[])
        AS given (kind_id, priority, bucket, count)
),
counted AS (
    INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
    SELECT kind_id, priority, taskfleet.backlog_bucket(bucket, %(now)s::timestamptz), sum(count)
    FROM given
    GROUP BY 1, 2, 3
)
INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, count)
SELECT kind_id, date_trunc('minute', %(now)s::timestamptz), 'enqueued', sum(count)
FROM given
GROUP BY 1;
