-- Where the ledgers differ from a count, in one snapshot: waiting tasks by kind, priority and bucket, finished and paused ones by kind and state.
--
-- Returns rows: queue, kind, what, ledger, truth; none when all is well. Reads every waiting and every finished task: bound its time.
-- The clock is read after the snapshot: buckets widened with it cover every delta in sight.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
backlog_ledger AS (
    SELECT deltas.kind_id, deltas.priority, taskfleet.backlog_bucket(deltas.bucket, clock.now) AS bucket, sum(deltas.delta) AS count
    FROM (
        SELECT kind_id, priority, bucket, waiting AS delta FROM taskfleet.backlog_buckets
        UNION ALL
        SELECT kind_id, priority, bucket, delta FROM taskfleet.backlog_ledger
    ) AS deltas
    CROSS JOIN clock
    GROUP BY 1, 2, 3
),
backlog_truth AS (
    SELECT ready.kind_id, ready.priority, taskfleet.backlog_bucket(ready.run_at, clock.now) AS bucket, count(*) AS count
    FROM taskfleet.ready CROSS JOIN clock
    GROUP BY 1, 2, 3
),
backlog AS (
    SELECT
        kind_id,
        priority,
        sum(coalesce(backlog_ledger.count, 0))::bigint AS ledger,
        sum(coalesce(backlog_truth.count, 0))::bigint AS truth
    FROM backlog_ledger
    FULL JOIN backlog_truth USING (kind_id, priority, bucket)
    GROUP BY kind_id, priority
    HAVING bool_or(coalesce(backlog_ledger.count, 0) <> coalesce(backlog_truth.count, 0))
),
state_ledger AS (
    SELECT deltas.kind_id, deltas.state, sum(deltas.delta)::bigint AS count
    FROM (
        SELECT kind_id, state, kept AS delta FROM taskfleet.state_totals
        UNION ALL
        SELECT kind_id, state, delta FROM taskfleet.state_ledger
    ) AS deltas
    GROUP BY 1, 2
),
state_truth AS (
    SELECT kind_id, 'succeeded' AS state, count(*) AS count FROM taskfleet.succeeded_tasks GROUP BY 1
    UNION ALL
    SELECT kind_id, state, count(*) FROM taskfleet.dead_letters GROUP BY 1, 2
    UNION ALL
    SELECT kind_id, 'paused', count(*) FROM taskfleet.held GROUP BY 1
),
states AS (
    SELECT kind_id, state, coalesce(state_ledger.count, 0) AS ledger, coalesce(state_truth.count, 0) AS truth
    FROM state_ledger
    FULL JOIN state_truth USING (kind_id, state)
    WHERE coalesce(state_ledger.count, 0) <> coalesce(state_truth.count, 0)
),
faults AS (
    SELECT backlog.kind_id, 'waiting at priority ' || backlog.priority AS what, backlog.ledger, backlog.truth FROM backlog
    UNION ALL
    SELECT states.kind_id, states.state, states.ledger, states.truth FROM states
)
SELECT
    coalesce(queues.name, '?') AS queue,
    coalesce(kinds.name, faults.kind_id::text) AS kind,
    faults.what,
    faults.ledger,
    faults.truth
FROM faults
LEFT JOIN taskfleet.kinds ON kinds.id = faults.kind_id
LEFT JOIN taskfleet.queues ON queues.id = kinds.queue_id
ORDER BY 1, 2, 3
LIMIT 100;
