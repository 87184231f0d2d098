-- Days of successes of one queue that lie wholly before a moment and are not trimmed yet, oldest first.
--
--   queue_id  integer
--   before    timestamptz
--   again     boolean      true: also those that a run before went through
--
-- Returns rows: partition (without schema), day.
SELECT partitions.relname AS partition, days.day
FROM pg_inherits
JOIN pg_class AS partitions ON partitions.oid = pg_inherits.inhrelid
-- CASE: the planner may ask for the day of every relation there is before it looks whose partition it is.
CROSS JOIN LATERAL (
    SELECT CASE WHEN partitions.relname ~ '_[0-9]{8}$' THEN to_date(right(partitions.relname, 8), 'YYYYMMDD') END AS day
) AS days
WHERE pg_inherits.inhparent = 'taskfleet.succeeded_tasks'::regclass
  AND NOT pg_inherits.inhdetachpending
  AND days.day < (%(before)s::timestamptz AT TIME ZONE 'UTC')::date
  AND (%(again)s::boolean OR days.day >= coalesce(
      (SELECT retention_marks.trimmed_until FROM taskfleet.retention_marks WHERE retention_marks.queue_id = %(queue_id)s::integer),
      '-infinity'
  ))
ORDER BY days.day;
