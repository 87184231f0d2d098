-- Remove waiting tasks of a queue, a batch of them (migrations/0018_dead_letters.up.sql).
--
--   queue        text
--   kind, group  text     NULL: every kind, every group
--   until_id     bigint   tasks enqueued later stay
--   after_id     bigint   where the last call stopped; 0 begins
--   limit        integer
--
-- Returns one row: waiting, paused, last_id, more.
SELECT waiting, paused, last_id, more
FROM taskfleet.clear_v1(
    %(queue)s::text, %(kind)s::text, %(group)s::text, %(until_id)s::bigint, %(after_id)s::bigint, %(limit)s::integer
);
