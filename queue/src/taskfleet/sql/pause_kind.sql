-- Let no task of a kind be claimed; what runs goes on. The kind exists (create_kinds.sql).
--
--   queue, kind  text
--
-- Returns one row if that is new: changed.
UPDATE taskfleet.kinds
SET paused = true
FROM taskfleet.queues
WHERE queues.id = kinds.queue_id
  AND queues.name = %(queue)s::text
  AND kinds.name = %(kind)s::text
  AND NOT kinds.paused
RETURNING true AS changed;
