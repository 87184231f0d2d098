-- What ended in each of the last minutes, the current one included, oldest first.
--
--   queue    text     name of the queue
--   minutes  integer
--
-- Returns rows: minute, outcome, code, count, busy_seconds; a minute in which nothing ended has one row with outcome NULL.
WITH span AS (
    SELECT generate_series(
        date_trunc('minute', now()) - make_interval(mins => %(minutes)s::integer - 1), date_trunc('minute', now()), interval '1 minute'
    ) AS minute
),
ended AS (
    SELECT deltas.minute, deltas.outcome, deltas.code, sum(deltas.count)::bigint AS count, sum(deltas.busy_seconds) AS busy_seconds
    FROM (
        SELECT kind_id, minute, outcome, code, count, busy_seconds FROM taskfleet.outcome_minutes
        UNION ALL
        SELECT kind_id, minute, outcome, code, count, busy_seconds FROM taskfleet.outcome_ledger
    ) AS deltas
    JOIN taskfleet.kinds ON kinds.id = deltas.kind_id
    JOIN taskfleet.queues ON queues.id = kinds.queue_id
    WHERE queues.name = %(queue)s::text
      AND deltas.minute >= date_trunc('minute', now()) - make_interval(mins => %(minutes)s::integer - 1)
    GROUP BY 1, 2, 3
)
SELECT span.minute, ended.outcome, ended.code, coalesce(ended.count, 0) AS count, coalesce(ended.busy_seconds, 0) AS busy_seconds
FROM span
LEFT JOIN ended ON ended.minute = span.minute
ORDER BY span.minute, ended.outcome, ended.code;
