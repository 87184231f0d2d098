-- When the work on record of a queue began and ended, to the minute.
--
--   queue  text  name of a queue, NULL: all queues
--
-- Returns one row: measured_at, first_minute, last_minute; both NULL before the first attempt has ended.
SELECT clock_timestamp() AS measured_at, min(deltas.minute) AS first_minute, max(deltas.minute) AS last_minute
FROM (
    SELECT kind_id, minute, outcome FROM taskfleet.outcome_minutes
    UNION ALL
    SELECT kind_id, minute, outcome FROM taskfleet.outcome_ledger
) AS deltas
JOIN taskfleet.kinds ON kinds.id = deltas.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id
WHERE queues.name = coalesce(%(queue)s::text, queues.name)
  AND deltas.outcome <> 'enqueued';
