-- The attempts of one task that did not succeed, oldest first.
--
--   task_id  bigint
--
-- Returns one row an attempt. Index: attempts_by_task of every partition.
SELECT attempt, code, message, started_at, finished_at, worker, stack
FROM taskfleet.attempts
WHERE task_id = %(task_id)s::bigint
ORDER BY finished_at, attempt;
