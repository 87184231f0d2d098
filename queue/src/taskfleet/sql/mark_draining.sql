-- Mark workers as draining, or take the mark back.
--
--   sessions  uuid[]
--   draining  boolean
--
-- Returns nothing. A claim that is under way may still commit: only the worker itself says when it is drained.
UPDATE taskfleet.sessions
SET draining = %(draining)s::boolean,
    drained_at = NULL
WHERE sessions.id = ANY (%(sessions)s::uuid[])
  AND sessions.draining <> %(draining)s::boolean;
