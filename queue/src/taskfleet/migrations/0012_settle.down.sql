-- loses limits of the size of results (max_result_bytes): SELECT 1 FROM taskfleet.queues WHERE max_result_bytes <> 262144
-- loses the sizes of results that were too large to be kept: SELECT 1 FROM taskfleet.succeeded_tasks WHERE result_bytes IS NOT NULL
CREATE OR REPLACE FUNCTION taskfleet.complete_v1(ids bigint[], tokens uuid[], results jsonb[])
RETURNS TABLE (task_id bigint, result_wanted boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    now timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH held AS MATERIALIZED (
        SELECT lease.*, task.*, given.result
        FROM unnest(ids, tokens, results) AS given (id, token, result)
        CROSS JOIN LATERAL (
            SELECT leases.ctid AS lease_at, leases.task_id, leases.kind_id, leases.attempt_count, leases.started_at
            FROM taskfleet.leases
            WHERE leases.task_id = given.id
              AND leases.token = given.token
            OFFSET 0
            FOR UPDATE
        ) AS lease
        CROSS JOIN LATERAL (
            SELECT tasks.ctid AS task_at, tasks.created_at, tasks.wants_result, tasks.idempotency_key
            FROM taskfleet.tasks
            WHERE tasks.id = lease.task_id
            OFFSET 0
        ) AS task
    ),
    ended AS (
        DELETE FROM taskfleet.leases
        WHERE ctid = ANY (ARRAY(SELECT lease_at FROM held))
    ),
    removed AS (
        DELETE FROM taskfleet.tasks
        WHERE ctid = ANY (ARRAY(SELECT task_at FROM held))
    ),
    freed AS (
        DELETE FROM taskfleet.idempotency_keys
        WHERE ctid = ANY (ARRAY(
            SELECT key.at
            FROM held
            CROSS JOIN LATERAL (
                SELECT idempotency_keys.ctid AS at
                FROM taskfleet.idempotency_keys
                WHERE idempotency_keys.kind_id = held.kind_id
                  AND idempotency_keys.key = held.idempotency_key
                  AND idempotency_keys.task_id = held.task_id
                OFFSET 0
            ) AS key
            WHERE held.idempotency_key IS NOT NULL
        ))
    ),
    history AS (
        INSERT INTO taskfleet.succeeded_tasks (id, created_at, started_at, finished_at, kind_id, attempt_count, result)
        SELECT task_id, created_at, started_at, now, kind_id, attempt_count, CASE WHEN wants_result THEN result END
        FROM held
    ),
    counted AS MATERIALIZED (
        SELECT kind_id, count(*) AS count, extract(epoch FROM sum(now - started_at))::double precision AS busy_seconds
        FROM held
        GROUP BY kind_id
    ),
    outcomes AS (
        INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, count, busy_seconds)
        SELECT kind_id, date_trunc('minute', now), 'succeeded', count, busy_seconds
        FROM counted
    ),
    states AS (
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
        SELECT kind_id, 'succeeded', count
        FROM counted
    )
    SELECT task_id, wants_result FROM held;
END;
$$;

CREATE OR REPLACE FUNCTION taskfleet.release_v1(ids bigint[], tokens uuid[], codes text[], delays double precision[])
RETURNS TABLE (task_id bigint, outcome text)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    now timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH held AS MATERIALIZED (
        SELECT lease.*, policy.waiting_expiry_seconds, given.code, given.delay
        FROM unnest(ids, tokens, codes, delays) AS given (id, token, code, delay)
        CROSS JOIN LATERAL (
            SELECT leases.ctid AS lease_at, leases.*
            FROM taskfleet.leases
            WHERE leases.task_id = given.id
              AND leases.token = given.token
            OFFSET 0
            FOR UPDATE
        ) AS lease
        CROSS JOIN LATERAL (
            SELECT queues.waiting_expiry_seconds
            FROM taskfleet.kinds JOIN taskfleet.queues ON queues.id = kinds.queue_id
            WHERE kinds.id = lease.kind_id
            OFFSET 0
        ) AS policy
    ),
    ended AS (
        DELETE FROM taskfleet.leases
        WHERE ctid = ANY (ARRAY(SELECT lease_at FROM held))
    ),
    timed AS (
        SELECT
            held.*,
            CASE WHEN delay > 0 THEN greatest(run_at, now + make_interval(secs => delay)) ELSE run_at END AS next_run_at,
            due_since + make_interval(secs => waiting_expiry_seconds) AS expires_at
        FROM held
    ),
    judged AS MATERIALIZED (
        SELECT timed.*, expires_at <= greatest(next_run_at, now) AS expired
        FROM timed
    ),
    waiting AS (
        INSERT INTO taskfleet.ready (task_id, run_at, due_since, last_attempt_at, kind_id, attempt_count, priority)
        SELECT task_id, next_run_at, due_since, started_at, kind_id, attempt_count - 1, priority
        FROM judged
        WHERE NOT expired
    ),
    buried AS MATERIALIZED (
        SELECT judged.*, task.*
        FROM judged
        CROSS JOIN LATERAL (
            SELECT tasks.group_name, tasks.headers, tasks.idempotency_key
            FROM taskfleet.tasks
            WHERE tasks.id = judged.task_id
            OFFSET 0
        ) AS task
        WHERE judged.expired
    ),
    dead AS (
        INSERT INTO taskfleet.dead_letters (
            task_id, kind_id, state, reason, code, message, priority, attempt_count, due_since, last_attempt_at, failed_at, group_name, trace_id
        )
        SELECT
            task_id, kind_id, 'failed', 'expired', 'TASK_EXPIRED',
            format(
                'waited since %s, longer than its queue allows; given back last as %s',
                to_char(due_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), code
            ),
            priority, attempt_count - 1, due_since, started_at, now, group_name, taskfleet.trace_id(headers)
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
        SELECT kind_id, priority, taskfleet.backlog_bucket(next_run_at, now), count(*)
        FROM judged
        WHERE NOT expired
        GROUP BY 1, 2, 3
    ),
    outcomes AS (
        INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, code, count, busy_seconds)
        SELECT
            kind_id, date_trunc('minute', now), CASE WHEN expired THEN 'failed' ELSE 'released' END,
            CASE WHEN expired THEN 'TASK_EXPIRED' ELSE code END, count(*),
            extract(epoch FROM sum(now - started_at))::double precision
        FROM judged
        GROUP BY 1, 3, 4
    ),
    states AS (
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
        SELECT kind_id, 'failed', count(*)
        FROM judged
        WHERE expired
        GROUP BY 1
    )
    SELECT task_id, CASE WHEN expired THEN 'failed' ELSE 'released' END FROM judged;
END;
$$;

CREATE OR REPLACE FUNCTION taskfleet.fail_v1(
    ids bigint[], tokens uuid[], codes text[], messages text[], stacks text[], retryables boolean[], entities text[]
)
RETURNS TABLE (task_id bigint, outcome text)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    now timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH held AS MATERIALIZED (
        SELECT lease.*, task.*, policy.*, given.code, given.message, given.stack, given.retryable, given.missing, (
            SELECT sessions.worker FROM taskfleet.sessions WHERE sessions.id = lease.session_id
        ) AS worker
        FROM unnest(ids, tokens, codes, messages, stacks, retryables, entities)
            AS given (id, token, code, message, stack, retryable, missing)
        CROSS JOIN LATERAL (
            SELECT leases.ctid AS lease_at, leases.*
            FROM taskfleet.leases
            WHERE leases.task_id = given.id
              AND leases.token = given.token
            OFFSET 0
            FOR UPDATE
        ) AS lease
        CROSS JOIN LATERAL (
            SELECT tasks.group_name, tasks.headers, tasks.idempotency_key, tasks.max_attempts AS own_max_attempts
            FROM taskfleet.tasks
            WHERE tasks.id = lease.task_id
            OFFSET 0
        ) AS task
        CROSS JOIN LATERAL (
            SELECT
                kinds.queue_id,
                coalesce(kinds.max_attempts, queues.default_max_attempts) AS max_attempts,
                coalesce(kinds.min_backoff_seconds, queues.default_min_backoff_seconds) AS min_backoff_seconds,
                coalesce(kinds.max_backoff_seconds, queues.default_max_backoff_seconds) AS max_backoff_seconds,
                queues.waiting_expiry_seconds,
                queues.missing_entity_seconds
            FROM taskfleet.kinds JOIN taskfleet.queues ON queues.id = kinds.queue_id
            WHERE kinds.id = lease.kind_id
            OFFSET 0
        ) AS policy
    ),
    ended AS (
        DELETE FROM taskfleet.leases
        WHERE ctid = ANY (ARRAY(SELECT lease_at FROM held))
    ),
    planned AS MATERIALIZED (
        SELECT
            held.*,
            retryable AND attempt_count < coalesce(own_max_attempts, max_attempts) AS may_retry,
            now + make_interval(secs => taskfleet.backoff_seconds(attempt_count, min_backoff_seconds, max_backoff_seconds, random()))
                AS next_run_at,
            due_since + make_interval(secs => waiting_expiry_seconds) AS expires_at
        FROM held
    ),
    judged AS MATERIALIZED (
        SELECT
            planned.*,
            may_retry AND next_run_at < expires_at AS retried,
            may_retry AND next_run_at >= expires_at AS expired
        FROM planned
    ),
    waiting AS (
        INSERT INTO taskfleet.ready (task_id, run_at, due_since, last_attempt_at, kind_id, attempt_count, priority)
        SELECT task_id, next_run_at, due_since, started_at, kind_id, attempt_count, priority
        FROM judged
        WHERE retried
    ),
    dead AS (
        INSERT INTO taskfleet.dead_letters (
            task_id, kind_id, state, reason, code, message, stack, priority, attempt_count, due_since, last_attempt_at, failed_at,
            group_name, trace_id
        )
        SELECT
            task_id, kind_id, 'failed',
            CASE WHEN expired THEN 'expired' WHEN retryable THEN 'max_attempts_exceeded' ELSE 'non_retryable' END,
            CASE WHEN expired THEN 'TASK_EXPIRED' ELSE code END,
            CASE WHEN expired THEN format('no time left for another attempt; the last ended as %s: %s', code, message) ELSE message END,
            stack, priority, attempt_count, due_since, started_at, now, group_name, taskfleet.trace_id(headers)
        FROM judged
        WHERE NOT retried
    ),
    freed AS (
        DELETE FROM taskfleet.idempotency_keys
        WHERE ctid = ANY (ARRAY(
            SELECT key.at
            FROM judged
            CROSS JOIN LATERAL (
                SELECT idempotency_keys.ctid AS at
                FROM taskfleet.idempotency_keys
                WHERE idempotency_keys.kind_id = judged.kind_id
                  AND idempotency_keys.key = judged.idempotency_key
                  AND idempotency_keys.task_id = judged.task_id
                OFFSET 0
            ) AS key
            WHERE judged.idempotency_key IS NOT NULL
              AND NOT judged.retried
        ))
    ),
    history AS (
        INSERT INTO taskfleet.attempts (task_id, attempt, code, message, stack, started_at, finished_at, worker)
        SELECT task_id, attempt_count, code, message, stack, started_at, now, worker
        FROM judged
    ),
    remembered AS (
        -- One row an entity, in one order, and only where the memory grows by much: fleets meet the same entity at the same time.
        INSERT INTO taskfleet.missing_entities AS known (queue_id, entity, until)
        SELECT queue_id, missing, now + make_interval(secs => max(missing_entity_seconds))
        FROM judged
        WHERE missing IS NOT NULL
          AND NOT EXISTS (
              SELECT
              FROM taskfleet.missing_entities AS fresh
              WHERE fresh.queue_id = judged.queue_id
                AND fresh.entity = judged.missing
                AND fresh.until > now + make_interval(secs => judged.missing_entity_seconds / 2)
          )
        GROUP BY queue_id, missing
        ORDER BY queue_id, missing
        ON CONFLICT (queue_id, entity) DO UPDATE SET until = greatest(known.until, excluded.until)
    ),
    backlog AS (
        INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
        SELECT kind_id, priority, taskfleet.backlog_bucket(next_run_at, now), count(*)
        FROM judged
        WHERE retried
        GROUP BY 1, 2, 3
    ),
    outcomes AS (
        INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, code, count, busy_seconds)
        SELECT
            kind_id, date_trunc('minute', now), CASE WHEN retried THEN 'retried' ELSE 'failed' END,
            CASE WHEN expired THEN 'TASK_EXPIRED' ELSE code END, count(*),
            extract(epoch FROM sum(now - started_at))::double precision
        FROM judged
        GROUP BY 1, 3, 4
    ),
    states AS (
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
        SELECT kind_id, 'failed', count(*)
        FROM judged
        WHERE NOT retried
        GROUP BY 1
    )
    SELECT task_id, CASE WHEN retried THEN 'retried' ELSE 'failed' END FROM judged;
END;
$$;

ALTER TABLE taskfleet.succeeded_tasks DROP COLUMN result_bytes;
ALTER TABLE taskfleet.queues DROP COLUMN max_result_bytes;
