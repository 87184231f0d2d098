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
    IF (SELECT count(DISTINCT id) < cardinality(ids) FROM unnest(ids) AS id) THEN
        -- A lease that is named twice ends once, as it was named first.
        SELECT array_agg(kept.id), array_agg(kept.token), array_agg(kept.result)
        INTO ids, tokens, results
        FROM (
            SELECT DISTINCT ON (named.id, named.token) named.*
            FROM unnest(ids, tokens, results) WITH ORDINALITY
                AS named (id, token, result, place)
            ORDER BY named.id, named.token, named.place
        ) AS kept;
    END IF;

    RETURN QUERY
    WITH held AS MATERIALIZED (
        SELECT
            lease.*, task.*, given.result,
            CASE WHEN task.wants_result AND given.result IS NOT NULL THEN octet_length(given.result::text) END AS result_bytes
        FROM unnest(ids, tokens, results) AS given (id, token, result)
        CROSS JOIN LATERAL (
            SELECT leases.task_id, leases.kind_id, leases.attempt_count, leases.started_at
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
        WHERE task_id = ANY (ARRAY(SELECT task_id FROM held))
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
        INSERT INTO taskfleet.succeeded_tasks (id, created_at, started_at, finished_at, kind_id, attempt_count, result, result_bytes)
        SELECT
            sized.task_id, sized.created_at, sized.started_at, now, sized.kind_id, sized.attempt_count,
            CASE WHEN NOT sized.too_large THEN sized.result END,
            CASE WHEN sized.too_large THEN sized.result_bytes END
        FROM (
            SELECT held.*, result_bytes > (
                SELECT queues.max_result_bytes
                FROM taskfleet.kinds JOIN taskfleet.queues ON queues.id = kinds.queue_id
                WHERE kinds.id = held.kind_id
            ) AS too_large
            FROM held
        ) AS sized
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
