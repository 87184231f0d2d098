-- Tasks that ever failed, by error code, most first.
--
--   queue  text  name of a queue, NULL: all queues
--
-- Returns rows: code, count.
SELECT deltas.code, sum(deltas.count)::bigint AS count
FROM (
    SELECT kind_id, outcome, code, count FROM taskfleet.outcome_totals
    UNION ALL
    SELECT kind_id, outcome, code, count FROM taskfleet.outcome_ledger
) AS deltas
JOIN taskfleet.kinds ON kinds.id = deltas.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id
WHERE deltas.outcome = 'failed'
  AND queues.name = coalesce(%(queue)s::text, queues.name)
GROUP BY deltas.code
ORDER BY count DESC, deltas.code;
