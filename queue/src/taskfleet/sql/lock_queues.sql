-- Take the right to scale queues: one advisory lock a queue, held by this session until it ends.
--
--   queues  text[]  queues to lock; those locked before stay locked, and must not be asked for again (locks of a session stack)
--
-- Returns one row per queue. The key is a whole bigint, so it never meets the pairs that claims and maintenance lock.
SELECT
    given.queue,
    pg_try_advisory_lock(hashtextextended('taskfleet operator ' || %(schema)s::text || ' ' || given.queue, 0)) AS locked
FROM unnest(%(queues)s::text[]) AS given (queue);
