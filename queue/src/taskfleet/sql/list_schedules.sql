-- The schedules of a queue, by name.
--
--   queue  text
--
-- Returns rows: name, cron, time_zone, task, next_at, last_at, last_task_id.
SELECT
    schedules.name, schedules.cron, schedules.time_zone, schedules.task, schedules.next_at, schedules.last_at, schedules.last_task_id
FROM taskfleet.schedules
JOIN taskfleet.queues ON queues.id = schedules.queue_id
WHERE queues.name = %(queue)s::text
ORDER BY schedules.name;
