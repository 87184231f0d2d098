-- What a queue's work has cost since it began, by kind, outcome and code.
--
--   queue  text  name of the queue
--
-- Returns rows: kind, outcome, code, count, busy_seconds.
SELECT
    kinds.name AS kind,
    deltas.outcome,
    deltas.code,
    sum(deltas.count)::bigint AS count,
    sum(deltas.busy_seconds) AS busy_seconds
FROM (
    SELECT kind_id, outcome, code, count, busy_seconds FROM taskfleet.outcome_totals
    UNION ALL
    SELECT kind_id, outcome, code, count, busy_seconds FROM taskfleet.outcome_ledger
) AS deltas
JOIN taskfleet.kinds ON kinds.id = deltas.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id
WHERE queues.name = %(queue)s::text
GROUP BY kinds.name, deltas.outcome, deltas.code
ORDER BY kinds.name, deltas.outcome, deltas.code;
