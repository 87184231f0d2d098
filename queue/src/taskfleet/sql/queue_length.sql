-- How many tasks of a queue wait, scheduled ones included.
--
--   queue  text  name of the queue
--   kind   text  NULL: every kind
--
-- Returns one row: length; 0 for a queue that does not exist.
-- From the ledger: costs the number of buckets and of deltas not folded yet, never of tasks.
WITH wanted AS (
    SELECT kinds.id
    FROM taskfleet.queues
    JOIN taskfleet.kinds ON kinds.queue_id = queues.id
    WHERE queues.name = %(queue)s::text
      AND kinds.name = coalesce(%(kind)s::text, kinds.name)
)
SELECT coalesce(sum(deltas.delta), 0)::bigint AS length
FROM (
    SELECT waiting AS delta
    FROM taskfleet.backlog_buckets
    WHERE kind_id IN (SELECT id FROM wanted)
    UNION ALL
    SELECT delta
    FROM taskfleet.backlog_ledger
    WHERE kind_id IN (SELECT id FROM wanted)
) AS deltas;
