-- Tasks of a queue that failed or were cancelled.
--
--   queue   text     name of the queue
--   kind    text     NULL: every kind
--   group   text     NULL: every group
--   after   bigint   last id of the page before, NULL: from the start
--   limit   integer
--   state   text     failed or cancelled
--
-- Returns the columns of get_task.sql, highest id first. Index: dead_letters_pkey.
SELECT
    tasks.id AS task_id,
    queues.name AS queue,
    kinds.name AS kind,
    dead_letters.state,
    dead_letters.priority,
    tasks.payload,
    tasks.headers,
    tasks.group_name,
    tasks.entity,
    tasks.idempotency_key,
    dead_letters.attempt_count,
    coalesce(tasks.max_attempts, kinds.max_attempts, queues.default_max_attempts) AS max_attempts,
    tasks.created_at,
    NULL::timestamptz AS run_at,
    dead_letters.last_attempt_at,
    dead_letters.failed_at AS finished_at,
    NULL::timestamptz AS lease_expires_at,
    NULL::text AS worker,
    NULL::jsonb AS result,
    dead_letters.reason AS dead_reason,
    dead_letters.code,
    dead_letters.message,
    dead_letters.stack,
    dead_letters.trace_id
FROM taskfleet.dead_letters
JOIN taskfleet.tasks ON tasks.id = dead_letters.task_id
JOIN taskfleet.kinds ON kinds.id = dead_letters.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id
WHERE queues.name = %(queue)s::text
  AND kinds.name = coalesce(%(kind)s::text, kinds.name)
  AND (%(group)s::text IS NULL OR dead_letters.group_name = %(group)s::text)
  AND dead_letters.task_id < coalesce(%(after)s::bigint, 9223372036854775807)
  AND dead_letters.state = %(state)s::text
ORDER BY dead_letters.task_id DESC
LIMIT %(limit)s::integer;
