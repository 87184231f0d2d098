-- Store a schedule of an existing queue, or replace the one of its name.
--
--   queue, name, cron, time_zone  text
--   task                          jsonb        what is enqueued
--   next_at                       timestamptz  its first tick
--
-- Returns nothing. A schedule that stays as it is keeps the tick that it waits for: a program that stores it at each start loses none.
INSERT INTO taskfleet.schedules AS known (queue_id, name, cron, time_zone, task, next_at)
SELECT queues.id, %(name)s::text, %(cron)s::text, %(time_zone)s::text, %(task)s::jsonb, %(next_at)s::timestamptz
FROM taskfleet.queues
WHERE queues.name = %(queue)s::text
ON CONFLICT (queue_id, name) DO UPDATE
SET cron = excluded.cron,
    time_zone = excluded.time_zone,
    task = excluded.task,
    next_at = CASE WHEN (known.cron, known.time_zone) = (excluded.cron, excluded.time_zone) THEN known.next_at ELSE excluded.next_at END;
