-- The highest id that a task has been given so far.
--
-- Returns one row: task_id.
SELECT last_value AS task_id
FROM taskfleet.tasks_id_seq;
