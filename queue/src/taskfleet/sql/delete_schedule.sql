-- Forget a schedule; tasks that it has enqueued stay.
--
--   queue, name  text
--
-- Returns one row when there was one: name.
DELETE FROM taskfleet.schedules
USING taskfleet.queues
WHERE queues.id = schedules.queue_id
  AND queues.name = %(queue)s::text
  AND schedules.name = %(name)s::text
RETURNING schedules.name;
