-- Trying finished tasks again.

-- Let failed and cancelled tasks wait again, as if they were new: attempts begin at one, the clocks of waiting and of expiry now.
--
--   ids  bigint[]
--
-- Returns one row an id: outcome, the state that the task is in now, and who holds its idempotency key where that stands in the way.
--   retried               a task whose group is paused is put aside (state paused)
--   idempotency_conflict  an unfinished task of the kind has the same key; the dead letter stays as it was
--   wrong_state           it has not failed
--   not_found
-- The key and the waiting row come first, and only the dead letters of what was stored go.
CREATE FUNCTION taskfleet.retry_v1(ids bigint[]) RETURNS TABLE (task_id bigint, outcome text, state text, holder_id bigint)
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
    stored_ids bigint[];
    closed_ids bigint[];
    found_states text[];
    holder_ids bigint[];
BEGIN
    -- A holder that finished between two statements has freed the key: then the next round stores the task.
    FOR round IN 1..3 LOOP
        WITH chosen AS MATERIALIZED (
            SELECT letter.*, task.*
            FROM unnest(left_ids) AS given (id)
            CROSS JOIN LATERAL (
                SELECT dead_letters.ctid AS letter_at, dead_letters.task_id, dead_letters.kind_id, dead_letters.state, dead_letters.priority,
                    dead_letters.last_attempt_at
                FROM taskfleet.dead_letters
                WHERE dead_letters.task_id = given.id
                OFFSET 0
                FOR UPDATE
            ) AS letter
            CROSS JOIN LATERAL (
                SELECT tasks.group_name, tasks.idempotency_key
                FROM taskfleet.tasks
                WHERE tasks.id = letter.task_id
                OFFSET 0
            ) AS task
        ),
        keyed AS MATERIALIZED (
            INSERT INTO taskfleet.idempotency_keys (kind_id, key, task_id)
            SELECT kind_id, idempotency_key, task_id
            FROM chosen
            WHERE idempotency_key IS NOT NULL
            ORDER BY kind_id, idempotency_key, task_id
            ON CONFLICT (kind_id, key) DO NOTHING
            RETURNING task_id
        ),
        stored AS MATERIALIZED (
            SELECT chosen.*, taskfleet.enter_group_v1(kind_id, group_name) AS closed
            FROM chosen
            WHERE idempotency_key IS NULL
               OR task_id = ANY (ARRAY(SELECT keyed.task_id FROM keyed))
        ),
        waiting AS (
            INSERT INTO taskfleet.ready (task_id, run_at, due_since, last_attempt_at, kind_id, attempt_count, priority)
            SELECT task_id, now, now, last_attempt_at, kind_id, 0, priority
            FROM stored
            WHERE NOT closed
        ),
        aside AS (
            INSERT INTO taskfleet.held (
                task_id, run_at, due_since, last_attempt_at, held_at, kind_id, attempt_count, priority, by_hand, group_name
            )
            SELECT task_id, now, now, last_attempt_at, now, kind_id, 0, priority, false, group_name
            FROM stored
            WHERE closed
        ),
        removed AS (
            DELETE FROM taskfleet.dead_letters
            WHERE dead_letters.ctid = ANY (ARRAY(SELECT letter_at FROM stored))
        ),
        backlog AS (
            INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
            SELECT kind_id, priority, taskfleet.backlog_bucket(now, now), count(*)
            FROM stored
            WHERE NOT closed
            GROUP BY 1, 2
        ),
        states AS (
            INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
            SELECT kind_id, state, -count(*)
            FROM stored
            GROUP BY 1, 2
            UNION ALL
            SELECT kind_id, 'paused', count(*)
            FROM stored
            WHERE closed
            GROUP BY 1
        )
        SELECT coalesce(array_agg(stored.task_id), '{}'), coalesce(array_agg(stored.task_id) FILTER (WHERE stored.closed), '{}')
        INTO stored_ids, closed_ids
        FROM stored;
        RETURN QUERY
        SELECT id, 'retried', CASE WHEN id = ANY (closed_ids) THEN 'paused' ELSE 'ready' END, NULL::bigint
        FROM unnest(stored_ids) AS id;
        left_ids := ARRAY(SELECT id FROM unnest(left_ids) AS id WHERE id <> ALL (stored_ids));
        EXIT WHEN cardinality(left_ids) = 0;

        -- The holder, in a new statement: it may have been committed after the snapshot of the last one.
        SELECT
            coalesce(array_agg(dead_letters.task_id), '{}'),
            coalesce(array_agg(dead_letters.state), '{}'),
            coalesce(array_agg(idempotency_keys.task_id), '{}')
        INTO stored_ids, found_states, holder_ids
        FROM taskfleet.dead_letters
        JOIN taskfleet.tasks ON tasks.id = dead_letters.task_id
        JOIN taskfleet.idempotency_keys
            ON idempotency_keys.kind_id = dead_letters.kind_id AND idempotency_keys.key = tasks.idempotency_key
        WHERE dead_letters.task_id = ANY (left_ids);
        RETURN QUERY
        SELECT met.id, 'idempotency_conflict', met.state, met.holder
        FROM unnest(stored_ids, found_states, holder_ids) AS met (id, state, holder);
        left_ids := ARRAY(SELECT id FROM unnest(left_ids) AS id WHERE id <> ALL (stored_ids));
        EXIT WHEN NOT EXISTS (SELECT FROM taskfleet.dead_letters WHERE dead_letters.task_id = ANY (left_ids));
    END LOOP;

    RETURN QUERY
    SELECT
        left_id.id,
        CASE
            WHEN found.state IS NULL THEN 'not_found'
            WHEN found.state IN ('failed', 'cancelled') THEN 'idempotency_conflict'
            ELSE 'wrong_state'
        END,
        found.state,
        NULL::bigint
    FROM unnest(left_ids) AS left_id (id)
    LEFT JOIN taskfleet.task_states_v1(left_ids) AS found ON found.task_id = left_id.id;
END;
$$;
