-- End tasks that waited longer than their queue allows, at most `row_limit` of one kind; returns how many.
-- Index: ready_by_age; for tasks that were tried before ready_tried_by_due.
CREATE FUNCTION taskfleet.expire_waiting_v1(given_kind integer, expired_before timestamptz, row_limit integer) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
    now timestamptz := clock_timestamp();
    picked tid[];
    ended integer;
BEGIN
    picked := ARRAY(
        SELECT ready.ctid
        FROM taskfleet.ready
        WHERE ready.kind_id::bigint = given_kind
          AND ready.run_at < expired_before
          AND ready.due_since < expired_before
        ORDER BY ready.run_at, ready.task_id
        LIMIT row_limit
        FOR UPDATE SKIP LOCKED
    );
    IF cardinality(picked) < row_limit THEN
        picked := picked || ARRAY(
            SELECT ready.ctid
            FROM taskfleet.ready
            WHERE ready.kind_id = given_kind
              AND ready.due_since < expired_before
              AND ready.due_since < ready.run_at
              AND ready.run_at >= expired_before
            ORDER BY ready.due_since
            LIMIT row_limit - cardinality(picked)
            FOR UPDATE SKIP LOCKED
        );
    END IF;

    WITH ended_tasks AS (
        DELETE FROM taskfleet.ready
        WHERE ready.ctid = ANY (picked)
        RETURNING ready.*
    ),
    buried AS MATERIALIZED (
        SELECT ended_tasks.*, task.*
        FROM ended_tasks
        CROSS JOIN LATERAL (
            SELECT tasks.group_name, tasks.headers, tasks.idempotency_key
            FROM taskfleet.tasks
            WHERE tasks.id = ended_tasks.task_id
            OFFSET 0
        ) AS task
    ),
    dead AS (
        INSERT INTO taskfleet.dead_letters (
            task_id, kind_id, state, reason, code, message, priority, attempt_count, due_since, last_attempt_at, failed_at, group_name, trace_id
        )
        SELECT
            buried.task_id, buried.kind_id, 'failed', 'expired', 'TASK_EXPIRED',
            format(
                'waited since %s, longer than its queue allows',
                to_char(buried.due_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')
            ),
            buried.priority, buried.attempt_count, buried.due_since, buried.last_attempt_at, now, buried.group_name,
            taskfleet.trace_id(buried.headers)
        FROM buried
    ),
    freed AS (
        DELETE FROM taskfleet.idempotency_keys
        WHERE ctid = ANY (ARRAY(
            SELECT key.at
            FROM buried
            CROSS JOIN LATERAL (
                SELECT idempotency_keys.ctid AS at
                FROM taskfleet.idempotency_keys
                WHERE idempotency_keys.kind_id = buried.kind_id
                  AND idempotency_keys.key = buried.idempotency_key
                  AND idempotency_keys.task_id = buried.task_id
                OFFSET 0
            ) AS key
            WHERE buried.idempotency_key IS NOT NULL
        ))
    ),
    backlog AS (
        INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
        SELECT given_kind, ended_tasks.priority, taskfleet.backlog_bucket(ended_tasks.run_at, now), -count(*)
        FROM ended_tasks
        GROUP BY 2, 3
    ),
    outcomes AS (
        INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, code, count)
        SELECT given_kind, date_trunc('minute', now), 'failed', 'TASK_EXPIRED', count(*)
        FROM ended_tasks
        HAVING count(*) > 0
    ),
    states AS (
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
        SELECT given_kind, 'failed', count(*)
        FROM ended_tasks
        HAVING count(*) > 0
    )
    SELECT count(*) INTO ended FROM ended_tasks;
    RETURN ended;
END;
$$;
