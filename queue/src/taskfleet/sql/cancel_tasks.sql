-- Cancel tasks, wherever they are (migrations/0013_cancel.up.sql).
--
--   task_ids  bigint[]
--
-- Returns one row an id, in any order: task_id, outcome ('cancelled', 'cancel_requested', 'wrong_state', 'not_found'), state, holder_id (NULL).
SELECT task_id, outcome, state, NULL::bigint AS holder_id
FROM taskfleet.cancel_v1(%(task_ids)s::bigint[]);
