-- One task, wherever it is in its life.
--
--   task_id  bigint
--
-- Returns one row, none when there is no such task. A waiting task whose group is being paused is paused.
-- Indexes: tasks_pkey, ready_by_task, leases_pkey, held_pkey, dead_letters_pkey, succeeded_tasks_by_id of every partition.
WITH unfinished AS (
    SELECT
        tasks.id AS task_id,
        tasks.kind_id,
        CASE
            WHEN dead_letters.task_id IS NOT NULL THEN dead_letters.state
            WHEN leases.task_id IS NOT NULL THEN 'running'
            WHEN held.task_id IS NOT NULL OR taskfleet.group_pausing_v1(tasks.id) THEN 'paused'
            WHEN ready.run_at > clock_timestamp() THEN 'scheduled'
            ELSE 'ready'
        END AS state,
        coalesce(ready.priority, leases.priority, held.priority, dead_letters.priority) AS priority,
        tasks.payload,
        tasks.headers,
        tasks.group_name,
        tasks.entity,
        tasks.idempotency_key,
        coalesce(ready.attempt_count, leases.attempt_count, held.attempt_count, dead_letters.attempt_count) AS attempt_count,
        tasks.max_attempts,
        tasks.created_at,
        coalesce(ready.run_at, leases.run_at, held.run_at) AS run_at,
        CASE
            WHEN leases.task_id IS NOT NULL THEN leases.started_at
            ELSE coalesce(ready.last_attempt_at, held.last_attempt_at, dead_letters.last_attempt_at)
        END AS last_attempt_at,
        dead_letters.failed_at AS finished_at,
        sessions.expires_at AS lease_expires_at,
        sessions.worker,
        leases.progress,
        NULL::jsonb AS result,
        dead_letters.reason AS dead_reason,
        dead_letters.code,
        dead_letters.message,
        dead_letters.stack,
        coalesce(dead_letters.trace_id, nullif(split_part(tasks.headers ->> 'traceparent', '-', 2), '')) AS trace_id
    FROM taskfleet.tasks
    LEFT JOIN taskfleet.ready ON ready.task_id = tasks.id
    LEFT JOIN taskfleet.leases ON leases.task_id = tasks.id
    LEFT JOIN taskfleet.sessions ON sessions.id = leases.session_id
    LEFT JOIN taskfleet.held ON held.task_id = tasks.id
    LEFT JOIN taskfleet.dead_letters ON dead_letters.task_id = tasks.id
    WHERE tasks.id = %(task_id)s::bigint
),
finished AS (
    SELECT
        id AS task_id,
        kind_id,
        'succeeded' AS state,
        NULL::smallint AS priority,
        NULL::jsonb AS payload,
        NULL::jsonb AS headers,
        NULL::text AS group_name,
        NULL::text AS entity,
        NULL::text AS idempotency_key,
        attempt_count,
        NULL::integer AS max_attempts,
        created_at,
        NULL::timestamptz AS run_at,
        started_at AS last_attempt_at,
        finished_at,
        NULL::timestamptz AS lease_expires_at,
        NULL::text AS worker,
        NULL::jsonb AS progress,
        result,
        NULL::text AS dead_reason,
        NULL::text AS code,
        NULL::text AS message,
        NULL::text AS stack,
        NULL::text AS trace_id
    FROM taskfleet.succeeded_tasks
    WHERE id = %(task_id)s::bigint
),
found AS (
    SELECT * FROM unfinished
    UNION ALL
    SELECT * FROM finished
)
SELECT
    found.task_id,
    queues.name AS queue,
    kinds.name AS kind,
    found.state,
    found.priority,
    found.payload,
    found.headers,
    found.group_name,
    found.entity,
    found.idempotency_key,
    found.attempt_count,
    coalesce(found.max_attempts, kinds.max_attempts, queues.default_max_attempts) AS max_attempts,
    found.created_at,
    found.run_at,
    found.last_attempt_at,
    found.finished_at,
    found.lease_expires_at,
    found.worker,
    found.progress,
    found.result,
    found.dead_reason,
    found.code,
    found.message,
    found.stack,
    found.trace_id
FROM found
JOIN taskfleet.kinds ON kinds.id = found.kind_id
JOIN taskfleet.queues ON queues.id = kinds.queue_id;
