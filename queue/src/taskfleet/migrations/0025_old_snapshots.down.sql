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

CREATE OR REPLACE FUNCTION taskfleet.enter_group_v1(given_kind integer, given_group text) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    IF given_group IS NULL THEN
        RETURN false;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(taskfleet.lock_class('group'), taskfleet.group_lock(given_group));
    RETURN EXISTS (
        SELECT
        FROM taskfleet.paused_groups
        WHERE paused_groups.queue_id = (SELECT kinds.queue_id FROM taskfleet.kinds WHERE kinds.id = given_kind)
          AND paused_groups.group_name = given_group
          AND paused_groups.state <> 'resuming'
    );
END;
$$;

DROP FUNCTION taskfleet.group_is_marked_v1(integer, text);
