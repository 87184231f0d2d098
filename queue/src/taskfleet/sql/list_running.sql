-- Tasks of a queue that run.
--
--   queue   text     name of the queue
--   kind    text     NULL: every kind
--   group   text     NULL: every group
--   after   bigint   last id of the page before, NULL: from the start
--   limit   integer
--
-- Returns the columns of get_task.sql, highest id first. Index: leases_pkey.
SELECT
    tasks.id AS task_id,
    queues.name AS queue,
    kinds.name AS kind,
    'running' AS state,
    leases.priority,
    tasks.payload,
    tasks.headers,
    tasks.group_name,
    tasks.entity,
    tasks.idempotency_key,
    leases.attempt_count,
    coalesce(tasks.max_attempts, kinds.max_attempts, queues.default_max_attempts) AS max_attempts,
    tasks.created_at,
    leases.run_at,
    leases.started_at AS last_attempt_at,
    NULL::timestamptz AS finished_at,
    sessions.expires_at AS lease_expires_at,
    sessions.worker,
    NULL::jsonb AS result,
    NULL::text AS dead_reason,
    NULL::text AS code,
    NULL::text AS message,
    NULL::text AS stack,
    taskfleet.trace_id(tasks.headers) AS trace_id
FROM taskfleet.leases
JOIN taskfleet.tasks ON tasks.id = leases.task_id
JOIN taskfleet.kinds ON kinds.id = leases.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id
LEFT JOIN taskfleet.sessions ON sessions.id = leases.session_id
WHERE queues.name = %(queue)s::text
  AND kinds.name = coalesce(%(kind)s::text, kinds.name)
  AND (%(group)s::text IS NULL OR tasks.group_name = %(group)s::text)
  AND leases.task_id < coalesce(%(after)s::bigint, 9223372036854775807)
ORDER BY leases.task_id DESC
LIMIT %(limit)s::integer;
