-- Cancel tasks, wherever they are (migrations/0013_cancel.up.sql).
--
--   task_ids  bigint[]
--
-- Returns one row an id, in any order: task_id, outcome ('cancelled', 'cancel_requested', 'wrong_state', 'not_found'), state, holder_id
-- (NULL), result_wanted (it is cancelled now, and somebody waits for its result).
SELECT
    changed.task_id, changed.outcome, changed.state, NULL::bigint AS holder_id,
    changed.outcome = 'cancelled'
        AND coalesce((SELECT tasks.wants_result FROM taskfleet.tasks WHERE tasks.id = changed.task_id), false) AS result_wanted
FROM taskfleet.cancel_v1(%(task_ids)s::bigint[]) AS changed;
