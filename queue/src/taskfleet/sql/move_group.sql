-- One batch of putting a group's tasks aside, or of bringing them back (migrations/0017_pausing.up.sql).
--
--   queue, group  text
--   limit         integer  most tasks to look at
--
-- Returns one row: state ('pausing', 'resuming': come again; 'paused'; NULL: not paused), moved. No row: there is no such queue.
-- Indexes: tasks_by_group, ready_by_task, held_by_group.
SELECT batch.state, batch.moved
FROM taskfleet.queues
CROSS JOIN LATERAL taskfleet.move_group_v1(queues.id, %(group)s::text, %(limit)s::integer) AS batch
WHERE queues.name = %(queue)s::text;
