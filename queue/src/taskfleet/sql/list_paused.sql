-- Tasks of a queue that are put aside. Those of a paused kind or queue are not: nothing moves there.
--
--   queue   text     name of the queue
--   kind    text     NULL: every kind
--   group   text     NULL: every group
--   after   bigint   last id of the page before, NULL: from the start
--   limit   integer
--
-- Returns the columns of get_task.sql, highest id first. Index: held_pkey.
SELECT
    tasks.id AS task_id,
    queues.name AS queue,
    kinds.name AS kind,
    'paused' AS state,
    held.priority,
    tasks.payload,
    tasks.headers,
    tasks.group_name,
    tasks.entity,
    tasks.idempotency_key,
    held.attempt_count,
    coalesce(tasks.max_attempts, kinds.max_attempts, queues.default_max_attempts) AS max_attempts,
    tasks.created_at,
    held.run_at,
    held.last_attempt_at,
    NULL::timestamptz AS finished_at,
    NULL::timestamptz AS lease_expires_at,
    NULL::text AS worker,
    NULL::jsonb AS result,
    NULL::text AS dead_reason,
    NULL::text AS code,
    NULL::text AS message,
    NULL::text AS stack,
    taskfleet.trace_id(tasks.headers) AS trace_id
FROM taskfleet.held
JOIN taskfleet.tasks ON tasks.id = held.task_id
JOIN taskfleet.kinds ON kinds.id = held.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id
WHERE queues.name = %(queue)s::text
  AND kinds.name = coalesce(%(kind)s::text, kinds.name)
  AND (%(group)s::text IS NULL OR tasks.group_name = %(group)s::text)
  AND (held.task_id < %(after)s::bigint OR %(after)s::bigint IS NULL)
ORDER BY held.task_id DESC
LIMIT %(limit)s::integer;
