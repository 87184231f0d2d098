-- Whether a task has finished, and with what.
--
--   task_id  bigint
--
-- Returns one row, none when there is no such task: state (succeeded, failed, cancelled, unfinished), result, result_bytes (the size of a
-- result that was too large to be kept), reason, code, message.
-- Indexes: succeeded_tasks_by_id of every partition, dead_letters_pkey, tasks_pkey. One snapshot: a task is in one of them.
SELECT 'succeeded' AS state, result, result_bytes, NULL::text AS reason, NULL::text AS code, NULL::text AS message
FROM taskfleet.succeeded_tasks
WHERE id = %(task_id)s::bigint
UNION ALL
SELECT state, NULL, NULL, reason, code, message
FROM taskfleet.dead_letters
WHERE task_id = %(task_id)s::bigint
UNION ALL
SELECT 'unfinished', NULL, NULL, NULL, NULL, NULL
FROM taskfleet.tasks
WHERE id = %(task_id)s::bigint
  AND NOT EXISTS (SELECT FROM taskfleet.dead_letters WHERE dead_letters.task_id = tasks.id);
