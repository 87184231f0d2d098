-- A draining worker holds nothing any more. Written by the worker alone, after its last claim has returned.
--
--   session  uuid
--
-- Returns one row when it holds: the session's id.
UPDATE taskfleet.sessions
SET drained_at = coalesce(sessions.drained_at, now())
WHERE sessions.id = %(session)s::uuid
  AND sessions.draining
  AND NOT EXISTS (
      SELECT
      FROM taskfleet.leases
      WHERE leases.session_id = sessions.id
        AND leases.kind_id = ANY (ARRAY(SELECT kinds.id FROM taskfleet.kinds WHERE kinds.queue_id = sessions.queue_id))
  )
RETURNING sessions.id;
