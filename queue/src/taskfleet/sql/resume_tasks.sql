-- Let tasks that were put aside by hand wait again (migrations/0017_pausing.up.sql).
--
--   task_ids  bigint[]
--
-- Returns one row an id, in any order: task_id, outcome ('resumed', 'held_by_group', 'wrong_state', 'not_found'), state, holder_id (NULL).
SELECT task_id, outcome, state, NULL::bigint AS holder_id
FROM taskfleet.resume_v1(%(task_ids)s::bigint[]);
