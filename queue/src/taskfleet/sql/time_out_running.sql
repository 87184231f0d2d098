-- End attempts that run past their deadline, and write it down. Past the time-out of its kind a task is tried again, past that of its queue it has failed.
--
--   limit  integer
--
-- Returns one row: how many. Reads all leases: as many as tasks run at once.
WITH late AS MATERIALIZED (
    SELECT
        leases.task_id,
        leases.token,
        queues.name AS queue,
        kinds.name AS kind,
        kinds.timeout_seconds < queues.running_timeout_seconds AS retryable,
        least(kinds.timeout_seconds, queues.running_timeout_seconds) AS allowed_seconds
    FROM taskfleet.leases
    JOIN taskfleet.kinds ON kinds.id = leases.kind_id
    JOIN taskfleet.queues ON queues.id = kinds.queue_id
    WHERE leases.deadline_at <= clock_timestamp()
    LIMIT %(limit)s::integer
    FOR UPDATE OF leases SKIP LOCKED
),
batch AS (
    SELECT
        array_agg(late.task_id) AS ids,
        array_agg(late.token) AS tokens,
        array_agg('TASK_TIMED_OUT'::text) AS codes,
        array_agg(concat('it ran longer than the ', late.allowed_seconds, ' s that are allowed')) AS messages,
        array_agg(NULL::text) AS nothing,
        array_agg(coalesce(late.retryable, false)) AS retryables
    FROM late
),
ended AS MATERIALIZED (
    SELECT outcomes.task_id, outcomes.outcome
    FROM batch
    CROSS JOIN LATERAL taskfleet.fail_v1(
        batch.ids, batch.tokens, batch.codes, batch.messages, batch.nothing, batch.retryables, batch.nothing
    ) AS outcomes
),
audited AS (
    INSERT INTO taskfleet.audit_log (actor, action, queue, kind, outcome, detail)
    SELECT 'maintenance', 'time_out_running', late.queue, late.kind, ended.outcome, jsonb_build_object('count', count(*), 'code', 'TASK_TIMED_OUT')
    FROM ended
    JOIN late ON late.task_id = ended.task_id
    GROUP BY late.queue, late.kind, ended.outcome
)
SELECT count(*) FROM ended;
