-- The latest decisions about a queue, newest first.
--
--   queue  text
--   limit  integer
--
-- Index: decisions_by_queue.
SELECT
    queues.name AS queue, decisions.decided_at, decisions.replicas, decisions.wanted, decisions.desired, decisions.reason, decisions.message,
    decisions.ready, decisions.running, decisions.oldest_seconds, decisions.ceiling, decisions.steps
FROM taskfleet.queues
JOIN taskfleet.decisions ON decisions.queue_id = queues.id
WHERE queues.name = %(queue)s::text
ORDER BY decisions.decided_at DESC, decisions.id DESC
LIMIT %(limit)s::integer;
