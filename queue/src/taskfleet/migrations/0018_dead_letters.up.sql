-- Looking through dead letters, and clearing what waits.

-- A failure without what differs from one occurrence to the next: quoted texts, ids and numbers of the message's first line.
--
--   TASK_EXECUTION_FAILED, KeyError: 'user 7' in row 12 -> TASK_EXECUTION_FAILED: KeyError: '…' in row #
CREATE FUNCTION taskfleet.fingerprint(code text, message text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN code || ': ' || regexp_replace(
    regexp_replace(
        regexp_replace(left(split_part(message, E'\n', 1), 200), '''[^'']*''|"[^"]*"', '''…''', 'g'),
        '[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}', '#', 'g'
    ),
    '\d+', '#', 'g'
);

-- Dead letters of a queue that match all that is given, newest first; NULL matches everything.
--
--   before_at, before_id   the last one of the page before; NULL: from the newest
--
-- Plans are made for each call, so that what is NULL is no condition; each branch is written for one index: dead_letters_pkey,
-- dead_letters_by_trace, dead_letters_by_group, dead_letters_by_kind.
CREATE FUNCTION taskfleet.find_dead_letters_v1(
    given_queue text, given_kind text, given_group text, given_trace text, given_reason text, given_code text, given_ids bigint[],
    before_at timestamptz, before_id bigint, row_limit integer
)
RETURNS TABLE (task_id bigint, failed_at timestamptz)
LANGUAGE plpgsql STABLE
SET plan_cache_mode = force_custom_plan
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    kind_ids integer[] := ARRAY(
        SELECT kinds.id
        FROM taskfleet.kinds
        JOIN taskfleet.queues ON queues.id = kinds.queue_id
        WHERE queues.name = given_queue AND (given_kind IS NULL OR kinds.name = given_kind)
    );
    from_at timestamptz := coalesce(before_at, 'infinity');
    from_id bigint := coalesce(before_id, 9223372036854775807);
BEGIN
    IF given_ids IS NOT NULL OR given_trace IS NOT NULL THEN
        RETURN QUERY
        WITH named AS MATERIALIZED (
            SELECT letter.*
            FROM unnest(given_ids) AS given (id)
            CROSS JOIN LATERAL (SELECT * FROM taskfleet.dead_letters WHERE dead_letters.task_id = given.id OFFSET 0) AS letter
            WHERE given_ids IS NOT NULL
            UNION
            SELECT * FROM taskfleet.dead_letters WHERE given_ids IS NULL AND dead_letters.trace_id = given_trace
        )
        SELECT named.task_id, named.failed_at
        FROM named
        WHERE named.kind_id = ANY (kind_ids)
          AND (given_group IS NULL OR named.group_name = given_group)
          AND (given_trace IS NULL OR named.trace_id = given_trace)
          AND (given_reason IS NULL OR named.reason = given_reason)
          AND (given_code IS NULL OR named.code = given_code)
          AND (named.failed_at, named.task_id) < (from_at, from_id)
        ORDER BY named.failed_at DESC, named.task_id DESC
        LIMIT row_limit;
    ELSIF given_group IS NOT NULL THEN
        RETURN QUERY
        SELECT dead_letters.task_id, dead_letters.failed_at
        FROM taskfleet.dead_letters
        WHERE dead_letters.group_name = given_group
          AND dead_letters.kind_id = ANY (kind_ids)
          AND (given_reason IS NULL OR dead_letters.reason = given_reason)
          AND (given_code IS NULL OR dead_letters.code = given_code)
          AND (dead_letters.failed_at, dead_letters.task_id) < (from_at, from_id)
        ORDER BY dead_letters.failed_at DESC, dead_letters.task_id DESC
        LIMIT row_limit;
    ELSE
        RETURN QUERY
        SELECT letter.task_id, letter.failed_at
        FROM unnest(kind_ids) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT dead_letters.task_id, dead_letters.failed_at
            FROM taskfleet.dead_letters
            WHERE dead_letters.kind_id = wanted.id
              AND (given_reason IS NULL OR dead_letters.reason = given_reason)
              AND (given_code IS NULL OR dead_letters.code = given_code)
              AND (dead_letters.failed_at, dead_letters.task_id) < (from_at, from_id)
            ORDER BY dead_letters.failed_at DESC, dead_letters.task_id DESC
            LIMIT row_limit
        ) AS letter
        ORDER BY letter.failed_at DESC, letter.task_id DESC
        LIMIT row_limit;
    END IF;
END;
$$;

-- Remove tasks that wait or are put aside, payload included; those that somebody is at stay. Nothing of them is kept but a count.
--
--   given_kind, given_group   NULL: every kind, every group
--   until_id                  tasks enqueued later stay
--   after_id                  where the last call stopped, of a group; begin with 0
--   row_limit                 most tasks to look at
--
-- Returns one row: how many waited, how many were put aside, where it stopped, and whether there may be more.
-- Indexes: ready_by_priority and held_by_kind, or tasks_by_group, ready_by_task and held_pkey.
CREATE FUNCTION taskfleet.clear_v1(
    given_queue text, given_kind text, given_group text, until_id bigint, after_id bigint, row_limit integer
)
RETURNS TABLE (waiting integer, paused integer, last_id bigint, more boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    now timestamptz := clock_timestamp();
    kind_ids integer[] := ARRAY(
        SELECT kinds.id
        FROM taskfleet.kinds
        JOIN taskfleet.queues ON queues.id = kinds.queue_id
        WHERE queues.name = given_queue AND kinds.name = coalesce(given_kind, kinds.name)
    );
    kind integer;
    ids bigint[] := '{}';
BEGIN
    IF given_group IS NOT NULL THEN
        ids := ARRAY(
            SELECT tasks.id
            FROM taskfleet.tasks
            WHERE tasks.group_name = given_group AND tasks.id > after_id AND tasks.id <= until_id
            ORDER BY tasks.id
            LIMIT row_limit
        );
    ELSE
        FOREACH kind IN ARRAY kind_ids LOOP
            ids := ids || ARRAY(
                SELECT ready.task_id
                FROM taskfleet.ready
                WHERE ready.kind_id = kind AND ready.task_id <= until_id
                ORDER BY ready.priority, ready.run_at, ready.task_id
                LIMIT row_limit - cardinality(ids)
                FOR UPDATE SKIP LOCKED
            );
            ids := ids || ARRAY(
                SELECT held.task_id
                FROM taskfleet.held
                WHERE held.kind_id = kind AND held.task_id <= until_id
                ORDER BY held.task_id
                LIMIT row_limit - cardinality(ids)
                FOR UPDATE SKIP LOCKED
            );
        END LOOP;
    END IF;
    last_id := ids[cardinality(ids)];
    more := CASE WHEN given_group IS NULL THEN cardinality(ids) > 0 ELSE cardinality(ids) = row_limit END;

    WITH locked AS MATERIALIZED (
        SELECT row.at
        FROM unnest(ids) AS given (id)
        CROSS JOIN LATERAL (
            SELECT ready.ctid AS at, ready.kind_id FROM taskfleet.ready WHERE ready.task_id = given.id OFFSET 0 FOR UPDATE SKIP LOCKED
        ) AS row
        WHERE row.kind_id = ANY (kind_ids)
    ),
    taken AS MATERIALIZED (
        DELETE FROM taskfleet.ready
        WHERE ready.ctid = ANY (ARRAY(SELECT at FROM locked))
        RETURNING task_id, kind_id, priority, run_at
    ),
    aside AS MATERIALIZED (
        DELETE FROM taskfleet.held
        WHERE held.task_id = ANY (ids) AND held.kind_id = ANY (kind_ids)
        RETURNING task_id, kind_id
    ),
    removed AS MATERIALIZED (
        DELETE FROM taskfleet.tasks
        WHERE tasks.id = ANY (ARRAY(SELECT task_id FROM taken UNION ALL SELECT task_id FROM aside))
        RETURNING tasks.id, tasks.kind_id, tasks.idempotency_key
    ),
    freed AS (
        DELETE FROM taskfleet.idempotency_keys
        WHERE idempotency_keys.ctid = ANY (ARRAY(
            SELECT key.at
            FROM removed
            CROSS JOIN LATERAL (
                SELECT idempotency_keys.ctid AS at
                FROM taskfleet.idempotency_keys
                WHERE idempotency_keys.kind_id = removed.kind_id
                  AND idempotency_keys.key = removed.idempotency_key
                  AND idempotency_keys.task_id = removed.id
                OFFSET 0
            ) AS key
            WHERE removed.idempotency_key IS NOT NULL
        ))
    ),
    backlog AS (
        INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
        SELECT kind_id, priority, taskfleet.backlog_bucket(run_at, now), -count(*)
        FROM taken
        GROUP BY 1, 2, 3
    ),
    outcomes AS (
        INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, code, count)
        SELECT kind_id, date_trunc('minute', now), 'cancelled', 'TASK_CANCELLED', count(*)
        FROM removed
        GROUP BY 1
    ),
    states AS (
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
        SELECT kind_id, 'paused', -count(*)
        FROM aside
        GROUP BY 1
    )
    SELECT (SELECT count(*) FROM taken), (SELECT count(*) FROM aside) INTO waiting, paused;
    RETURN NEXT;
END;
$$;
