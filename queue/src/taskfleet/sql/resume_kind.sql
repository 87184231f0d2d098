-- Let tasks of a kind be claimed again. Expiry counts no time before this moment.
--
--   queue, kind  text
--
-- Returns one row if it was paused: changed.
UPDATE taskfleet.kinds
SET paused = false,
    resumed_at = clock_timestamp()
FROM taskfleet.queues
WHERE queues.id = kinds.queue_id
  AND queues.name = %(queue)s::text
  AND kinds.name = %(kind)s::text
  AND kinds.paused
RETURNING true AS changed;
