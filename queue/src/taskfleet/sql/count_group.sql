-- How many tasks of a group there are, by state; those that succeeded are not kept by group.
--
--   queue, group  text
--
-- Returns one row: scheduled, ready, running, paused, failed, cancelled. Costs the number of the group's tasks.
-- Indexes: tasks_by_group, and the primary keys of where tasks are.
SELECT
    count(*) FILTER (WHERE found.state = 'scheduled') AS scheduled,
    count(*) FILTER (WHERE found.state = 'ready') AS ready,
    count(*) FILTER (WHERE found.state = 'running') AS running,
    count(*) FILTER (WHERE found.state = 'paused') AS paused,
    count(*) FILTER (WHERE found.state = 'failed') AS failed,
    count(*) FILTER (WHERE found.state = 'cancelled') AS cancelled
FROM taskfleet.task_states_v1(ARRAY(
    SELECT tasks.id
    FROM taskfleet.tasks
    WHERE tasks.group_name = %(group)s::text
      AND tasks.kind_id IN (
          SELECT kinds.id FROM taskfleet.kinds JOIN taskfleet.queues ON queues.id = kinds.queue_id WHERE queues.name = %(queue)s::text
      )
)) AS found;
