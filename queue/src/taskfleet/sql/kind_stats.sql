-- Tasks by kind and state, from the ledgers.
--
--   queue  text  name of a queue, NULL: all queues
--
-- Returns one row a kind: queue, kind, scheduled, ready, paused, running, succeeded, failed, cancelled, created_last_day.
-- Costs the number of buckets, minutes and ledger rows not folded yet, never of tasks.
WITH clock AS MATERIALIZED (
    SELECT clock_timestamp() AS now
),
waiting AS (
    SELECT
        deltas.kind_id,
        sum(deltas.delta) FILTER (WHERE deltas.bucket > clock.now) AS scheduled,
        sum(deltas.delta) FILTER (WHERE deltas.bucket <= clock.now) AS ready
    FROM (
        SELECT kind_id, bucket, waiting AS delta FROM taskfleet.backlog_buckets
        UNION ALL
        SELECT kind_id, bucket, delta FROM taskfleet.backlog_ledger
    ) AS deltas
    CROSS JOIN clock
    GROUP BY deltas.kind_id
),
running AS (
    SELECT kind_id, count(*) AS running
    FROM taskfleet.leases
    GROUP BY kind_id
),
finished AS (
    SELECT
        deltas.kind_id,
        sum(deltas.delta) FILTER (WHERE deltas.state = 'succeeded') AS succeeded,
        sum(deltas.delta) FILTER (WHERE deltas.state = 'failed') AS failed,
        sum(deltas.delta) FILTER (WHERE deltas.state = 'cancelled') AS cancelled,
        sum(deltas.delta) FILTER (WHERE deltas.state = 'paused') AS paused
    FROM (
        SELECT kind_id, state, kept AS delta FROM taskfleet.state_totals
        UNION ALL
        SELECT kind_id, state, delta FROM taskfleet.state_ledger
    ) AS deltas
    GROUP BY deltas.kind_id
),
created AS (
    SELECT deltas.kind_id, sum(deltas.count) AS created_last_day
    FROM (
        SELECT kind_id, minute, outcome, count FROM taskfleet.outcome_minutes
        UNION ALL
        SELECT kind_id, minute, outcome, count FROM taskfleet.outcome_ledger
    ) AS deltas
    CROSS JOIN clock
    WHERE deltas.outcome = 'enqueued'
      AND deltas.minute > clock.now - interval '24 hours'
    GROUP BY deltas.kind_id
)
SELECT
    queues.name AS queue,
    kinds.name AS kind,
    coalesce(waiting.scheduled, 0)::bigint AS scheduled,
    coalesce(waiting.ready, 0)::bigint AS ready,
    coalesce(finished.paused, 0)::bigint AS paused,
    coalesce(running.running, 0)::bigint AS running,
    coalesce(finished.succeeded, 0)::bigint AS succeeded,
    coalesce(finished.failed, 0)::bigint AS failed,
    coalesce(finished.cancelled, 0)::bigint AS cancelled,
    coalesce(created.created_last_day, 0)::bigint AS created_last_day
FROM taskfleet.queues
JOIN taskfleet.kinds ON kinds.queue_id = queues.id
CROSS JOIN clock
LEFT JOIN waiting ON waiting.kind_id = kinds.id
LEFT JOIN running ON running.kind_id = kinds.id
LEFT JOIN finished ON finished.kind_id = kinds.id
LEFT JOIN created ON created.kind_id = kinds.id
WHERE queues.name = coalesce(%(queue)s::text, queues.name)
ORDER BY queues.name, kinds.name;
