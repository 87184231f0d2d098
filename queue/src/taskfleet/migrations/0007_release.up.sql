-- The trace id of a W3C traceparent header, NULL where there is none: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.
CREATE FUNCTION taskfleet.trace_id(headers jsonb) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN nullif(split_part(headers ->> 'traceparent', '-', 2), '');

-- Give tasks back without using up an attempt; what waited too long ends as TASK_EXPIRED instead.
--
--   ids, tokens     bigint[], uuid[]      the leases
--   codes           text[]                why: TASK_OVERLOADED, TASK_SHUTDOWN, …
--   delays          double precision[]    seconds until each may run again; 0: at once, in its old place
--
-- Returns one row a lease that held: 'released' or 'failed'.
CREATE FUNCTION taskfleet.release_v1(ids bigint[], tokens uuid[], codes text[], delays double precision[])
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
