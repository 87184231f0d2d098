-- What the scaling law remembers of a queue.
--
--   queue  text
--
-- Returns one row, or none: state.
SELECT scaling_states.state
FROM taskfleet.scaling_states
JOIN taskfleet.queues ON queues.id = scaling_states.queue_id
WHERE queues.name = %(queue)s::text;
