-- Putting waiting tasks aside, and bringing them back.

-- Put tasks aside by hand.
--
--   ids  bigint[]
--
-- Returns one row an id: outcome, and the state that the task is in now.
--   paused       it waited, or was put aside already: it stays until it is resumed itself
--   wrong_state  it runs or has finished
--   not_found
CREATE FUNCTION taskfleet.pause_v1(ids bigint[]) RETURNS TABLE (task_id bigint, outcome text, state text)
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
    -- A task may move between two statements of one round: then the next round finds it.
    FOR round IN 1..3 LOOP
        WITH taken AS MATERIALIZED (
            DELETE FROM taskfleet.ready
            WHERE task_id = ANY (left_ids)
            RETURNING task_id, run_at, due_since, last_attempt_at, kind_id, attempt_count, priority
        ),
        aside AS (
            INSERT INTO taskfleet.held (
                task_id, run_at, due_since, last_attempt_at, held_at, kind_id, attempt_count, priority, by_hand, group_name
            )
            SELECT
                task_id, run_at, due_since, last_attempt_at, now, kind_id, attempt_count, priority, true,
                (SELECT tasks.group_name FROM taskfleet.tasks WHERE tasks.id = taken.task_id)
            FROM taken
        ),
        backlog AS (
            INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
            SELECT kind_id, priority, taskfleet.backlog_bucket(run_at, now), -count(*)
            FROM taken
            GROUP BY 1, 2, 3
        ),
        states AS (
            INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
            SELECT kind_id, 'paused', count(*)
            FROM taken
            GROUP BY 1
        ),
        marked AS MATERIALIZED (
            UPDATE taskfleet.held
            SET by_hand = true
            WHERE task_id = ANY (left_ids)
            RETURNING task_id
        )
        SELECT coalesce(array_agg(paused.task_id), '{}')
        INTO done_ids
        FROM (SELECT task_id FROM taken UNION ALL SELECT task_id FROM marked) AS paused;
        RETURN QUERY SELECT id, 'paused', 'paused' FROM unnest(done_ids) AS id;
        left_ids := ARRAY(SELECT id FROM unnest(left_ids) AS id WHERE id <> ALL (done_ids));

        SELECT coalesce(array_agg(found.task_id), '{}')
        INTO done_ids
        FROM taskfleet.task_states_v1(left_ids) AS found
        WHERE found.state NOT IN ('scheduled', 'ready', 'paused');
        RETURN QUERY
        SELECT found.task_id, 'wrong_state', found.state
        FROM taskfleet.task_states_v1(done_ids) AS found;
        left_ids := ARRAY(SELECT id FROM unnest(left_ids) AS id WHERE id <> ALL (done_ids));
        EXIT WHEN cardinality(left_ids) = 0;
    END LOOP;

    RETURN QUERY
    SELECT left_id.id, CASE WHEN found.state IS NULL THEN 'not_found' ELSE 'wrong_state' END, found.state
    FROM unnest(left_ids) AS left_id (id)
    LEFT JOIN taskfleet.task_states_v1(left_ids) AS found ON found.task_id = left_id.id;
END;
$$;

-- Let tasks that were put aside wait again. Their clocks of waiting and of expiry begin anew; attempts go on where they were.
-- The caller holds the shared locks of their groups and knows that these are open. Returns how many.
CREATE FUNCTION taskfleet.bring_back_v1(ids bigint[]) RETURNS integer
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
    brought integer;
BEGIN
    WITH freed AS MATERIALIZED (
        DELETE FROM taskfleet.held
        WHERE task_id = ANY (ids)
        RETURNING task_id, greatest(run_at, now) AS run_at, last_attempt_at, kind_id, attempt_count, priority
    ),
    waiting AS (
        INSERT INTO taskfleet.ready (task_id, run_at, due_since, last_attempt_at, kind_id, attempt_count, priority)
        SELECT task_id, run_at, run_at, last_attempt_at, kind_id, attempt_count, priority
        FROM freed
        ORDER BY task_id
    ),
    backlog AS (
        INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
        SELECT kind_id, priority, taskfleet.backlog_bucket(run_at, now), count(*)
        FROM freed
        GROUP BY 1, 2, 3
    ),
    states AS (
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
        SELECT kind_id, 'paused', -count(*)
        FROM freed
        GROUP BY 1
    )
    SELECT count(*) INTO brought FROM freed;
    RETURN brought;
END;
$$;

-- Take back that tasks were put aside by hand.
--
--   ids  bigint[]
--
-- Returns one row an id: outcome, and the state that the task is in now.
--   resumed        it waits again
--   held_by_group  its group is paused and still holds it
--   wrong_state    it is not paused
--   not_found
CREATE FUNCTION taskfleet.resume_v1(ids bigint[]) RETURNS TABLE (task_id bigint, outcome text, state text)
LANGUAGE plpgsql
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
    given_ids bigint[] := ARRAY(SELECT DISTINCT id FROM unnest(ids) AS id ORDER BY id);
    open_ids bigint[];
    closed_ids bigint[];
BEGIN
    SELECT
        coalesce(array_agg(entered.task_id) FILTER (WHERE NOT entered.closed), '{}'),
        coalesce(array_agg(entered.task_id) FILTER (WHERE entered.closed), '{}')
    INTO open_ids, closed_ids
    FROM (
        SELECT locked.task_id, taskfleet.enter_group_v1(locked.kind_id, locked.group_name) AS closed
        FROM (
            SELECT held.task_id, held.kind_id, held.group_name
            FROM taskfleet.held
            WHERE held.task_id = ANY (given_ids)
            ORDER BY held.task_id
            FOR UPDATE
        ) AS locked
        OFFSET 0
    ) AS entered;

    UPDATE taskfleet.held SET by_hand = false WHERE task_id = ANY (closed_ids) AND by_hand;
    PERFORM taskfleet.bring_back_v1(open_ids);

    RETURN QUERY
    SELECT
        given.id,
        CASE
            WHEN given.id = ANY (open_ids) THEN 'resumed'
            WHEN given.id = ANY (closed_ids) THEN 'held_by_group'
            WHEN found.state IS NULL THEN 'not_found'
            ELSE 'wrong_state'
        END,
        found.state
    FROM unnest(given_ids) AS given (id)
    LEFT JOIN taskfleet.task_states_v1(given_ids) AS found ON found.task_id = given.id;
END;
$$;

-- Pause a group of a queue: from its commit on no claim takes a task of it. Its waiting tasks are put aside by move_group_v1, in batches.
-- Returns whether that is new.
CREATE FUNCTION taskfleet.pause_group_v1(queue text, given_group text) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO taskfleet.paused_groups AS known (queue_id, group_name, state, changed_at)
    SELECT queues.id, given_group, 'pausing', clock_timestamp()
    FROM taskfleet.queues
    WHERE queues.name = queue
    ON CONFLICT (queue_id, group_name) DO UPDATE
    SET state = 'pausing', changed_at = excluded.changed_at, entered = false, moved_to = 0, again = false
    WHERE known.state = 'resuming';
    RETURN FOUND;
END;
$$;

-- Resume a group: from its commit on its new tasks are ready again; what was put aside is brought back by move_group_v1, in batches.
-- Returns whether it was paused.
CREATE FUNCTION taskfleet.resume_group_v1(queue text, given_group text) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE taskfleet.paused_groups
    SET state = 'resuming', changed_at = clock_timestamp(), entered = false, moved_to = 0, again = false
    WHERE paused_groups.queue_id = (SELECT queues.id FROM taskfleet.queues WHERE queues.name = queue)
      AND paused_groups.group_name = given_group
      AND paused_groups.state <> 'resuming';
    RETURN FOUND;
END;
$$;

-- One batch of putting a group's tasks aside, or of bringing them back.
--
--   given_queue, given_group   which group; nothing happens to one that is not on its way
--   row_limit                  most tasks to look at
--
-- Returns one row: state ('pausing' or 'resuming': come again; 'paused'; NULL: not paused any more), how many tasks it looked at, and how
-- many it moved.
--
-- A group is through when its tasks were walked once after a moment at which nobody who had not seen the mark could still be storing one.
-- That moment is found by taking the group's lock alone, which is only tried: while a transaction that stored a task of the group stays
-- open, the walk is made in vain and once more. Claims leave out the tasks of the group until then, so nothing depends on how long it takes.
CREATE FUNCTION taskfleet.move_group_v1(given_queue integer, given_group text, row_limit integer)
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
            WHERE tasks.group_name = given_group AND tasks.id > mark.moved_to
            ORDER BY tasks.id
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
    ELSE
        DELETE FROM taskfleet.paused_groups
        WHERE paused_groups.queue_id = given_queue AND paused_groups.group_name = given_group;
        state := NULL;
    END IF;
    RETURN NEXT;
END;
$$;

-- Put waiting tasks of a queue aside because their group is paused; those that somebody is at stay. Returns how many.
CREATE FUNCTION taskfleet.put_aside_v1(ids bigint[], given_queue integer) RETURNS integer
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
    put integer;
BEGIN
    WITH locked AS MATERIALIZED (
        SELECT waiting.at
        FROM unnest(ids) AS given (id)
        CROSS JOIN LATERAL (
            SELECT ready.ctid AS at, ready.kind_id
            FROM taskfleet.ready
            WHERE ready.task_id = given.id
            OFFSET 0
            FOR UPDATE SKIP LOCKED
        ) AS waiting
        WHERE (SELECT kinds.queue_id FROM taskfleet.kinds WHERE kinds.id = waiting.kind_id) = given_queue
    ),
    taken AS MATERIALIZED (
        DELETE FROM taskfleet.ready
        WHERE ready.ctid = ANY (ARRAY(SELECT at FROM locked))
        RETURNING task_id, run_at, due_since, last_attempt_at, kind_id, attempt_count, priority
    ),
    aside AS (
        INSERT INTO taskfleet.held (
            task_id, run_at, due_since, last_attempt_at, held_at, kind_id, attempt_count, priority, by_hand, group_name
        )
        SELECT
            task_id, run_at, due_since, last_attempt_at, now, kind_id, attempt_count, priority, false,
            (SELECT tasks.group_name FROM taskfleet.tasks WHERE tasks.id = taken.task_id)
        FROM taken
    ),
    backlog AS (
        INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
        SELECT kind_id, priority, taskfleet.backlog_bucket(run_at, now), -count(*)
        FROM taken
        GROUP BY 1, 2, 3
    ),
    states AS (
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
        SELECT kind_id, 'paused', count(*)
        FROM taken
        GROUP BY 1
    )
    SELECT count(*) INTO put FROM taken;
    RETURN put;
END;
$$;

-- Go on with groups that are on their way, one batch each, the longest waiting first; returns how many tasks were looked at, `row_limit` when
-- there is more to do at once.
CREATE FUNCTION taskfleet.move_groups_v1(row_limit integer) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    mark record;
    looked_at integer := 0;
BEGIN
    FOR mark IN
        SELECT paused_groups.queue_id, paused_groups.group_name
        FROM taskfleet.paused_groups
        WHERE paused_groups.state <> 'paused'
        ORDER BY paused_groups.changed_at, paused_groups.queue_id, paused_groups.group_name
        LIMIT 100
        FOR UPDATE SKIP LOCKED
    LOOP
        looked_at := looked_at + (
            SELECT batch.looked_at FROM taskfleet.move_group_v1(mark.queue_id, mark.group_name, row_limit) AS batch
        );
        EXIT WHEN looked_at >= row_limit;
    END LOOP;
    RETURN least(looked_at, row_limit);
END;
$$;
