-- Remember that a day holds no successes of a queue any more.
--
--   queue_id  integer
--   day       date
--
-- Returns nothing.
INSERT INTO taskfleet.retention_marks AS known (queue_id, trimmed_until)
VALUES (%(queue_id)s::integer, %(day)s::date + 1)
ON CONFLICT (queue_id) DO UPDATE SET trimmed_until = greatest(known.trimmed_until, excluded.trimmed_until);
