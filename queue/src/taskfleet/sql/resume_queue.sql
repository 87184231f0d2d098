-- Let tasks of a queue be claimed again, unless its operator holds it. Expiry counts no time before this moment.
--
--   queue  text
--
-- Returns one row if it was paused: changed.
UPDATE taskfleet.queues
SET paused = false,
    resumed_at = clock_timestamp()
WHERE queues.name = %(queue)s::text
  AND queues.paused
RETURNING true AS changed;
