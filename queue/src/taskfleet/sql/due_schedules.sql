-- Schedules whose tick has come, oldest first.
--
--   limit  integer
--
-- Returns rows: id, cron, time_zone, next_at, now. Index: schedules_by_next.
SELECT schedules.id, schedules.cron, schedules.time_zone, schedules.next_at, clock_timestamp() AS now
FROM taskfleet.schedules
WHERE schedules.next_at <= clock_timestamp()
ORDER BY schedules.next_at
LIMIT %(limit)s::integer;
