-- Tasks of a queue that succeeded. Their record is slim: no payload, no group.
--
--   queue   text     name of the queue
--   kind    text     NULL: every kind
--   group   text     NULL: every group; else nothing, it is not kept
--   after   bigint   last id of the page before, NULL: from the start
--   limit   integer
--
-- Returns the columns of get_task.sql, highest id first. Index: succeeded_tasks_by_id of every partition.
SELECT
    succeeded_tasks.id AS task_id,
    queues.name AS queue,
    kinds.name AS kind,
    'succeeded' AS state,
    NULL::smallint AS priority,
    NULL::jsonb AS payload,
    NULL::jsonb AS headers,
    NULL::text AS group_name,
    NULL::text AS entity,
    NULL::text AS idempotency_key,
    succeeded_tasks.attempt_count,
    NULL::integer AS max_attempts,
    succeeded_tasks.created_at,
    NULL::timestamptz AS run_at,
    succeeded_tasks.started_at AS last_attempt_at,
    succeeded_tasks.finished_at,
    NULL::timestamptz AS lease_expires_at,
    NULL::text AS worker,
    succeeded_tasks.result,
    NULL::text AS dead_reason,
    NULL::text AS code,
    NULL::text AS message,
    NULL::text AS stack,
    NULL::text AS trace_id
FROM taskfleet.succeeded_tasks
JOIN taskfleet.kinds ON kinds.id = succeeded_tasks.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id
WHERE queues.name = %(queue)s::text
  AND kinds.name = coalesce(%(kind)s::text, kinds.name)
  AND %(group)s::text IS NULL
  AND succeeded_tasks.id < coalesce(%(after)s::bigint, 9223372036854775807)
ORDER BY succeeded_tasks.id DESC
LIMIT %(limit)s::integer;
