-- The room that a queue has, and which of its kinds exist.
--
--   queue  text    name of the queue
--   kinds  text[]  names of kinds
--
-- Returns one row; none when the queue does not exist.
--   kinds              text[]     those that exist
--   kind_ids           integer[]  their ids, in the same order
--   length             bigint     tasks that wait, scheduled ones included: from the ledger, at the cost of its buckets, never of tasks
--   max_length, warn_length       NULL: no limit
--   max_payload_bytes
-- Indexes: queues_name_key, kinds_queue_id_name_key, backlog_buckets_pkey.
SELECT
    known.kinds,
    known.kind_ids,
    waiting.length,
    queues.max_length,
    queues.warn_length,
    queues.max_payload_bytes
FROM taskfleet.queues
CROSS JOIN LATERAL (
    SELECT
        coalesce(array_agg(kinds.name ORDER BY kinds.id), '{}') AS kinds,
        coalesce(array_agg(kinds.id ORDER BY kinds.id), '{}') AS kind_ids
    FROM taskfleet.kinds
    WHERE kinds.queue_id = queues.id
      AND kinds.name = ANY (%(kinds)s::text[])
) AS known
CROSS JOIN LATERAL (
    SELECT coalesce(sum(deltas.delta), 0)::bigint AS length
    FROM (
        SELECT kind_id, waiting AS delta FROM taskfleet.backlog_buckets
        UNION ALL
        SELECT kind_id, delta FROM taskfleet.backlog_ledger
    ) AS deltas
    WHERE deltas.kind_id IN (SELECT id FROM taskfleet.kinds WHERE kinds.queue_id = queues.id)
) AS waiting
WHERE queues.name = %(queue)s::text;
