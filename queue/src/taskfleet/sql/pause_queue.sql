-- Let no task of a queue be claimed; what runs goes on. The queue exists (create_kinds.sql).
--
--   queue  text
--
-- Returns one row if that is new: changed.
UPDATE taskfleet.queues
SET paused = true
WHERE queues.name = %(queue)s::text
  AND NOT queues.paused
RETURNING true AS changed;
