-- Kinds with tasks that somebody should look at: running past their time-out, or waiting for too long.
--
--   queue  text  name of a queue, NULL: all queues
--
-- Returns rows: queue, kind, what ('overdue_running' or 'overdue_waiting'), count, oldest_seconds; longest first.
-- Too long is beyond the queue's wait goal, beyond two hours where it has none; from the ledger, so to the width of a bucket.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
backlog AS (
    SELECT deltas.kind_id, taskfleet.backlog_bucket(deltas.bucket, clock.now) AS bucket, sum(deltas.delta) AS waiting
    FROM (
        SELECT kind_id, bucket, waiting AS delta FROM taskfleet.backlog_buckets
        UNION ALL
        SELECT kind_id, bucket, delta FROM taskfleet.backlog_ledger
    ) AS deltas
    CROSS JOIN clock
    GROUP BY 1, 2
    HAVING sum(deltas.delta) > 0
),
overdue AS (
    SELECT backlog.kind_id, 'overdue_waiting' AS what, sum(backlog.waiting) AS count, min(backlog.bucket) AS since
    FROM backlog
    JOIN taskfleet.kinds ON kinds.id = backlog.kind_id
    JOIN taskfleet.queues ON queues.id = kinds.queue_id
    CROSS JOIN clock
    WHERE backlog.bucket < clock.now - make_interval(secs => coalesce(queues.wait_goal_seconds, 7200))
    GROUP BY backlog.kind_id
    UNION ALL
    SELECT leases.kind_id, 'overdue_running', count(*), min(leases.started_at)
    FROM taskfleet.leases CROSS JOIN clock
    WHERE leases.deadline_at < clock.now
    GROUP BY leases.kind_id
)
SELECT
    queues.name AS queue,
    kinds.name AS kind,
    overdue.what,
    overdue.count::bigint AS count,
    extract(epoch FROM clock.now - overdue.since)::double precision AS oldest_seconds
FROM overdue
JOIN taskfleet.kinds ON kinds.id = overdue.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id
CROSS JOIN clock
WHERE queues.name = coalesce(%(queue)s::text, queues.name)
ORDER BY oldest_seconds DESC, queues.name, kinds.name;
