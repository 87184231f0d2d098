-- How a lease ends: this function and those of 0007 and 0008.
--
-- Every function takes parallel arrays of task ids and lease tokens and touches leases by primary key and token: a caller that lost its
-- lease changes nothing, and its task is missing from the answer. A batch may span claims.
--
-- All are written in one way. `held` finds each lease and what belongs to it by one probe a task (LATERAL … OFFSET 0, which the planner
-- cannot turn into a join: it read whole relations for a batch where they were small when it made the plan) and locks the lease; what it
-- found is then deleted by position.

-- Finish tasks that went well: one slim row of history each, payload gone, the result kept where it was wanted.
--
--   ids, tokens  bigint[], uuid[]   the leases
--   results      jsonb[]            what each handler returned, NULL where nothing
--
-- Returns one row a lease that held, with whether somebody waits for its result.
CREATE FUNCTION taskfleet.complete_v1(ids bigint[], tokens uuid[], results jsonb[])
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
