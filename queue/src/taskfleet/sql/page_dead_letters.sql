-- Dead letters of a queue, a page of them (migrations/0018_dead_letters.up.sql).
--
--   queue                            text         name of the queue
--   kind, group, trace_id, reason, code   text    NULL: any
--   task_ids                         bigint[]     NULL: any
--   before_at, before_id             timestamptz, bigint   the last one of the page before, NULL: from the newest
--   limit                            integer
--
-- Returns the columns of get_task.sql, newest first.
-- One probe a letter: as plain joins the planner read all tasks for a page.
SELECT letter.*
FROM taskfleet.find_dead_letters_v1(
    %(queue)s::text, %(kind)s::text, %(group)s::text, %(trace_id)s::text, %(reason)s::text, %(code)s::text, %(task_ids)s::bigint[],
    %(before_at)s::timestamptz, %(before_id)s::bigint, %(limit)s::integer
) AS page
CROSS JOIN LATERAL (
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
    WHERE dead_letters.task_id = page.task_id
    OFFSET 0
) AS letter
ORDER BY page.failed_at DESC, page.task_id DESC;
