-- When tasks of a queue arrived and how long they took, as far as their record is kept: what a simulation replays.
--
--   queue   text     name of the queue
--   after   bigint   last id of the page before, NULL: from the start
--   limit   integer
--
-- Returns one row a task that succeeded: task_id, kind, arrived_at (when it was enqueued; a delay is not kept), service_seconds (its last
-- attempt); lowest id first. Index: succeeded_tasks_by_id of every partition.
SELECT
    succeeded_tasks.id AS task_id,
    kinds.name AS kind,
    succeeded_tasks.created_at AS arrived_at,
    extract(EPOCH FROM succeeded_tasks.finished_at - succeeded_tasks.started_at)::double precision AS service_seconds
FROM taskfleet.succeeded_tasks
JOIN taskfleet.kinds ON kinds.id = succeeded_tasks.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id
WHERE queues.name = %(queue)s::text
  AND succeeded_tasks.id > coalesce(%(after)s::bigint, -9223372036854775808)
ORDER BY succeeded_tasks.id
LIMIT %(limit)s::integer;
