-- Every kind of a queue.
--
--   queue  text  name of the queue
--
-- Returns rows: kind, in order.
SELECT kinds.name AS kind
FROM taskfleet.queues
JOIN taskfleet.kinds ON kinds.queue_id = queues.id
WHERE queues.name = %(queue)s::text
ORDER BY kinds.name;
