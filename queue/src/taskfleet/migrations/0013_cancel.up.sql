-- Stopping tasks.

-- Cancel tasks, wherever they are.
--
--   ids  bigint[]
--
-- Returns one row an id: outcome, and the state that the task is in now.
--   cancelled         it waited or was paused; it is a dead letter with the reason 'cancelled'
--   cancel_requested  it runs: its worker learns of it by the next heartbeat, and it is not tried again
--   wrong_state       it had finished before; the state says how
--   not_found
CREATE FUNCTION taskfleet.cancel_v1(ids bigint[]) RETURNS TABLE (task_id bigint, outcome text, state text)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    now timestamptz := clock_timestamp();
    left_ids bigint[] := ARRAY(SELECT DISTINCT id FROM unnest(ids) AS id ORDER BY id);
    done_ids bigint[];
BEGIN
    -- A task may move between two statements of one round, from ready to a lease or back: then the next round finds it.
    FOR round IN 1..3 LOOP
        WITH waiting AS MATERIALIZED (
            DELETE FROM taskfleet.ready
            WHERE task_id = ANY (left_ids)
            RETURNING task_id, kind_id, run_at, due_since, last_attempt_at, attempt_count, priority
        ),
        aside AS MATERIALIZED (
            DELETE FROM taskfleet.held
            WHERE task_id = ANY (left_ids)
            RETURNING task_id, kind_id, run_at, due_since, last_attempt_at, attempt_count, priority
        ),
        buried AS MATERIALIZED (
            SELECT ended.*, task.*
            FROM (SELECT * FROM waiting UNION ALL SELECT * FROM aside) AS ended
            CROSS JOIN LATERAL (
                SELECT tasks.group_name, tasks.headers, tasks.idempotency_key
                FROM taskfleet.tasks
                WHERE tasks.id = ended.task_id
                OFFSET 0
            ) AS task
        ),
        dead AS (
            INSERT INTO taskfleet.dead_letters (
                task_id, kind_id, state, reason, code, message, priority, attempt_count, due_since, last_attempt_at, failed_at, group_name,
                trace_id
            )
            SELECT
                task_id, kind_id, 'cancelled', 'cancelled', 'TASK_CANCELLED', 'cancelled while it waited', priority, attempt_count,
                due_since, last_attempt_at, now, group_name, taskfleet.trace_id(headers)
            FROM buried
        ),
        freed AS (
            DELETE FROM taskfleet.idempotency_keys
            WHERE idempotency_keys.ctid = ANY (ARRAY(
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
        forgotten AS (
            DELETE FROM taskfleet.cancel_requests
            WHERE cancel_requests.task_id = ANY (ARRAY(SELECT task_id FROM buried))
        ),
        backlog AS (
            INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
            SELECT kind_id, priority, taskfleet.backlog_bucket(run_at, now), -count(*)
            FROM waiting
            GROUP BY 1, 2, 3
        ),
        outcomes AS (
            INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, code, count)
            SELECT kind_id, date_trunc('minute', now), 'cancelled', 'TASK_CANCELLED', count(*)
            FROM buried
            GROUP BY 1
        ),
        states AS (
            INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
            SELECT kind_id, 'cancelled', count(*)
            FROM buried
            GROUP BY 1
            UNION ALL
            SELECT kind_id, 'paused', -count(*)
            FROM aside
            GROUP BY 1
        )
        SELECT coalesce(array_agg(buried.task_id), '{}') INTO done_ids FROM buried;
        RETURN QUERY SELECT id, 'cancelled', 'cancelled' FROM unnest(done_ids) AS id;
        left_ids := ARRAY(SELECT id FROM unnest(left_ids) AS id WHERE id <> ALL (done_ids));
        EXIT WHEN cardinality(left_ids) = 0;

        -- No lock on the lease: a caller whose transaction stays open must not hold up the worker's writes.
        WITH running AS MATERIALIZED (
            SELECT leases.task_id
            FROM taskfleet.leases
            WHERE leases.task_id = ANY (left_ids)
            ORDER BY leases.task_id
        ),
        requested AS (
            INSERT INTO taskfleet.cancel_requests (task_id, requested_at)
            SELECT task_id, now FROM running
            ON CONFLICT (task_id) DO NOTHING
        )
        SELECT coalesce(array_agg(running.task_id), '{}') INTO done_ids FROM running;
        RETURN QUERY SELECT id, 'cancel_requested', 'running' FROM unnest(done_ids) AS id;
        left_ids := ARRAY(SELECT id FROM unnest(left_ids) AS id WHERE id <> ALL (done_ids));
        EXIT WHEN cardinality(left_ids) = 0;

        SELECT coalesce(array_agg(found.task_id), '{}')
        INTO done_ids
        FROM taskfleet.task_states_v1(left_ids) AS found
        WHERE found.state IN ('succeeded', 'failed', 'cancelled');
        RETURN QUERY
        SELECT found.task_id, 'wrong_state', found.state
        FROM taskfleet.task_states_v1(done_ids) AS found;
        left_ids := ARRAY(SELECT id FROM unnest(left_ids) AS id WHERE id <> ALL (done_ids));
        EXIT WHEN cardinality(left_ids) = 0;
    END LOOP;

    -- What is somewhere and was never met is on the move all the time: the request finds it (sweep_cancel_requests_v1).
    RETURN QUERY
    WITH moving AS MATERIALIZED (
        SELECT tasks.id FROM taskfleet.tasks WHERE tasks.id = ANY (left_ids) ORDER BY tasks.id
    ),
    requested AS (
        INSERT INTO taskfleet.cancel_requests (task_id, requested_at)
        SELECT id, now FROM moving
        ON CONFLICT (task_id) DO NOTHING
    )
    SELECT id, CASE WHEN EXISTS (SELECT FROM moving WHERE moving.id = left_id.id) THEN 'cancel_requested' ELSE 'not_found' END, NULL
    FROM unnest(left_ids) AS left_id (id);
END;
$$;

-- Go after requests to cancel that no heartbeat will answer: tasks that wait again are cancelled, requests of finished ones forgotten.
-- Returns how many requests that were, at most `row_limit`.
CREATE FUNCTION taskfleet.sweep_cancel_requests_v1(row_limit integer) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off
AS $$
DECLARE
    unheard bigint[];
BEGIN
    unheard := ARRAY(
        SELECT cancel_requests.task_id
        FROM taskfleet.cancel_requests
        WHERE NOT EXISTS (SELECT FROM taskfleet.leases WHERE leases.task_id = cancel_requests.task_id)
        ORDER BY cancel_requests.task_id
        LIMIT row_limit
    );
    IF cardinality(unheard) > 0 THEN
        PERFORM FROM taskfleet.cancel_v1(unheard);
        -- One that runs again by now keeps its request.
        DELETE FROM taskfleet.cancel_requests
        WHERE cancel_requests.task_id = ANY (unheard)
          AND NOT EXISTS (
              SELECT FROM taskfleet.task_states_v1(ARRAY[cancel_requests.task_id]) AS found
              WHERE found.state IN ('scheduled', 'ready', 'running', 'paused')
          );
    END IF;
    RETURN cardinality(unheard);
END;
$$;

-- heartbeat_v1, and which of the named leases somebody wants stopped.
CREATE FUNCTION taskfleet.heartbeat_v2(session uuid, ids bigint[], tokens uuid[])
RETURNS TABLE (known boolean, draining boolean, lost bigint[], cancelled bigint[], released integer, stale_share double precision)
LANGUAGE plpgsql
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    SELECT beat.known, beat.draining, beat.lost, beat.released, beat.stale_share
    INTO known, draining, lost, released, stale_share
    FROM taskfleet.heartbeat_v1(session, ids, tokens) AS beat;

    cancelled := ARRAY(
        SELECT given.id
        FROM unnest(ids) AS given (id)
        JOIN taskfleet.cancel_requests ON cancel_requests.task_id = given.id
        WHERE given.id <> ALL (lost)
    );
    RETURN NEXT;
END;
$$;
