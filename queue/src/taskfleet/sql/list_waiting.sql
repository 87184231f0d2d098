-- Tasks of a queue that wait: those whose time has come, or those whose time has not.
--
--   queue   text     name of the queue
--   kind    text     NULL: every kind
--   group   text     NULL: every group
--   after   bigint   last id of the page before, NULL: from the start
--   limit   integer
--   scheduled  boolean  true: run_at lies in the future
--
-- Returns the columns of get_task.sql, highest id first. Index: ready_by_task.
SELECT
    tasks.id AS task_id,
    queues.name AS queue,
    kinds.name AS kind,
    CASE WHEN %(scheduled)s::boolean THEN 'scheduled' ELSE 'ready' END AS state,
    ready.priority,
    tasks.payload,
    tasks.headers,
    tasks.group_name,
    tasks.entity,
    tasks.idempotency_key,
    ready.attempt_count,
    coalesce(tasks.max_attempts, kinds.max_attempts, queues.default_max_attempts) AS max_attempts,
    tasks.created_at,
    ready.run_at,
    ready.last_attempt_at,
    NULL::timestamptz AS finished_at,
    NULL::timestamptz AS lease_expires_at,
    NULL::text AS worker,
    NULL::jsonb AS result,
    NULL::text AS dead_reason,
    NULL::text AS code,
    NULL::text AS message,
    NULL::text AS stack,
    taskfleet.trace_id(tasks.headers) AS trace_id
FROM taskfleet.ready
JOIN taskfleet.tasks ON tasks.id = ready.task_id
JOIN taskfleet.kinds ON kinds.id = ready.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id
WHERE queues.name = %(queue)s::text
  AND kinds.name = coalesce(%(kind)s::text, kinds.name)
  AND (%(group)s::text IS NULL OR tasks.group_name = %(group)s::text)
  AND ready.task_id < coalesce(%(after)s::bigint, 9223372036854775807)
  AND (ready.run_at > now()) = %(scheduled)s::boolean
ORDER BY ready.task_id DESC
LIMIT %(limit)s::integer;
