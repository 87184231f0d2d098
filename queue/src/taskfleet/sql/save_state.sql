-- Keep what the scaling law remembers of a queue.
--
--   queue  text
--   state  jsonb
--
-- Returns nothing.
INSERT INTO taskfleet.scaling_states (queue_id, saved_at, state)
SELECT queues.id, now(), %(state)s::jsonb
FROM taskfleet.queues
WHERE queues.name = %(queue)s::text
ON CONFLICT (queue_id) DO UPDATE
SET saved_at = excluded.saved_at,
    state = excluded.state;
