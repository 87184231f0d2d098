-- works from: 0028
-- The tasks of a group are walked in the index of groups, whatever the statistics say.
--
-- With `group_name = …` the planner may as well walk the primary key and filter, and did where a sample of the tasks made the group look large:
-- one batch of clearing, and of pausing, then read through everybody else's tasks. A row that is compared with (group, id), in the order of both,
-- leaves it no index but tasks_by_group. As in migrations 0018 and 0025 but for that.
CREATE OR REPLACE FUNCTION taskfleet.clear_v1(
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
            WHERE (tasks.group_name, tasks.id) > (given_group, after_id) AND tasks.group_name <= given_group AND tasks.id <= until_id
            ORDER BY tasks.group_name, tasks.id
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

CREATE OR REPLACE FUNCTION taskfleet.move_group_v1(given_queue integer, given_group text, row_limit integer)
RETURNS TABLE (state text, looked_at integer, moved integer)
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
    mark record;
    seen bigint[];
    skipped boolean;
BEGIN
    looked_at := 0;
    moved := 0;
    SELECT paused_groups.* INTO mark
    FROM taskfleet.paused_groups
    WHERE paused_groups.queue_id = given_queue AND paused_groups.group_name = given_group
    FOR UPDATE;
    state := mark.state;
    IF NOT FOUND OR mark.state = 'paused' THEN
        RETURN NEXT;
        RETURN;
    END IF;

    -- In a batch of its own: who waits for this lock must not wait for the walk.
    IF NOT mark.entered AND mark.moved_to = 0
        AND pg_try_advisory_xact_lock(taskfleet.lock_class('group'), taskfleet.group_lock(given_group))
    THEN
        UPDATE taskfleet.paused_groups SET entered = true
        WHERE paused_groups.queue_id = given_queue AND paused_groups.group_name = given_group;
        RETURN NEXT;
        RETURN;
    END IF;

    IF mark.state = 'pausing' THEN
        seen := ARRAY(
            SELECT tasks.id
            FROM taskfleet.tasks
            WHERE (tasks.group_name, tasks.id) > (given_group, mark.moved_to) AND tasks.group_name <= given_group
            ORDER BY tasks.group_name, tasks.id
            LIMIT row_limit
        );
        moved := taskfleet.put_aside_v1(seen, given_queue);
        skipped := EXISTS (
            SELECT
            FROM unnest(seen) AS given (id)
            CROSS JOIN LATERAL (SELECT ready.kind_id FROM taskfleet.ready WHERE ready.task_id = given.id OFFSET 0) AS waiting
            JOIN taskfleet.kinds ON kinds.id = waiting.kind_id
            WHERE kinds.queue_id = given_queue
        );
    ELSE
        seen := ARRAY(
            SELECT held.task_id
            FROM taskfleet.held
            JOIN taskfleet.kinds ON kinds.id = held.kind_id
            WHERE held.group_name = given_group AND NOT held.by_hand AND held.task_id > mark.moved_to AND kinds.queue_id = given_queue
            ORDER BY held.task_id
            LIMIT row_limit
            FOR UPDATE OF held SKIP LOCKED
        );
        moved := taskfleet.bring_back_v1(seen);
        skipped := cardinality(seen) < row_limit AND EXISTS (
            SELECT
            FROM taskfleet.held
            JOIN taskfleet.kinds ON kinds.id = held.kind_id
            WHERE held.group_name = given_group AND NOT held.by_hand AND kinds.queue_id = given_queue
        );
    END IF;

    looked_at := cardinality(seen);
    IF looked_at = row_limit THEN
        UPDATE taskfleet.paused_groups SET moved_to = seen[row_limit], again = mark.again OR skipped
        WHERE paused_groups.queue_id = given_queue AND paused_groups.group_name = given_group;
    ELSIF NOT mark.entered OR mark.again OR skipped THEN
        UPDATE taskfleet.paused_groups SET moved_to = 0, again = false
        WHERE paused_groups.queue_id = given_queue AND paused_groups.group_name = given_group;
    ELSIF mark.state = 'pausing' THEN
        UPDATE taskfleet.paused_groups SET state = 'paused'
        WHERE paused_groups.queue_id = given_queue AND paused_groups.group_name = given_group;
        state := 'paused';
    ELSIF pg_try_advisory_xact_lock(taskfleet.lock_class('group'), taskfleet.group_lock(given_group))
        AND NOT EXISTS (
            SELECT
            FROM taskfleet.held
            JOIN taskfleet.kinds ON kinds.id = held.kind_id
            WHERE held.group_name = given_group AND NOT held.by_hand AND kinds.queue_id = given_queue
        )
    THEN
        DELETE FROM taskfleet.paused_groups
        WHERE paused_groups.queue_id = given_queue AND paused_groups.group_name = given_group;
        state := NULL;
    ELSE
        UPDATE taskfleet.paused_groups SET moved_to = 0
        WHERE paused_groups.queue_id = given_queue AND paused_groups.group_name = given_group;
    END IF;
    RETURN NEXT;
END;
$$;
