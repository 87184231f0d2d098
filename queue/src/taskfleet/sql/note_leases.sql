-- Handlers say how far they are, or that they need longer (migrations/0014_lease_notes.up.sql).
--
--   task_ids, tokens  bigint[], uuid[]    the leases
--   progresses        text[]              JSON, or NULL
--   longer_seconds    double precision[]  or NULL
--
-- Returns one row a lease that still holds: its task_id.
SELECT task_id
FROM taskfleet.note_v1(
    %(task_ids)s::bigint[], %(tokens)s::uuid[], %(progresses)s::text[]::jsonb[], %(longer_seconds)s::double precision[]
) AS task_id;
