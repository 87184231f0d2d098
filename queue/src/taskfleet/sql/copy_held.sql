-- Tasks of the same batch whose group is paused.
COPY taskfleet.held (task_id, run_at, due_since, held_at, kind_id, attempt_count, priority, by_hand, group_name)
FROM STDIN;
