-- The same batch as tasks that wait.
COPY taskfleet.ready (task_id, run_at, due_since, kind_id, priority)
FROM STDIN (FORMAT binary);
