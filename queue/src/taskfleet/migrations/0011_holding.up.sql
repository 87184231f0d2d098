-- Where tasks are put aside, which groups are paused, and which running tasks somebody wants stopped.

ALTER TABLE taskfleet.queues ADD COLUMN resumed_at timestamptz;
COMMENT ON COLUMN taskfleet.queues.resumed_at IS 'When it was last allowed to go on: expiry counts no time before it.';
ALTER TABLE taskfleet.kinds ADD COLUMN resumed_at timestamptz;
COMMENT ON COLUMN taskfleet.kinds.resumed_at IS 'When it was last allowed to go on: expiry counts no time before it.';

CREATE TABLE taskfleet.held (
    task_id bigint PRIMARY KEY,
    run_at timestamptz NOT NULL,
    due_since timestamptz NOT NULL,
    last_attempt_at timestamptz,
    held_at timestamptz NOT NULL,
    kind_id integer NOT NULL,
    attempt_count integer NOT NULL,
    priority smallint NOT NULL,
    by_hand boolean NOT NULL,
    group_name text
);
COMMENT ON TABLE taskfleet.held IS 'Paused tasks, with what ready held.';
COMMENT ON COLUMN taskfleet.held.by_hand IS 'Paused itself; else its group is. Either holds.';
-- Resuming a group.
CREATE INDEX held_by_group ON taskfleet.held (group_name, task_id) WHERE NOT by_hand;
-- Clearing, counting by kind.
CREATE INDEX held_by_kind ON taskfleet.held (kind_id, task_id);

CREATE TABLE taskfleet.paused_groups (
    queue_id integer NOT NULL,
    group_name text NOT NULL,
    state text NOT NULL CHECK (state IN ('pausing', 'paused', 'resuming')),
    changed_at timestamptz NOT NULL,
    entered boolean NOT NULL DEFAULT false,
    moved_to bigint NOT NULL DEFAULT 0,
    again boolean NOT NULL DEFAULT false,
    PRIMARY KEY (queue_id, group_name)
) WITH (fillfactor = 50);
COMMENT ON TABLE taskfleet.paused_groups IS 'Groups that are paused, or whose tasks are being put aside or brought back (move_group_v1).';
COMMENT ON COLUMN taskfleet.paused_groups.entered IS 'Nobody who has not seen this state can still be storing a task of the group.';
COMMENT ON COLUMN taskfleet.paused_groups.moved_to IS 'How far the walk through the tasks of the group has come.';
COMMENT ON COLUMN taskfleet.paused_groups.again IS 'The walk passed over a task that somebody was at: it has to be made once more.';
-- Claims, and whoever moves on: usually nothing.
CREATE INDEX paused_groups_moving ON taskfleet.paused_groups (queue_id) WHERE state <> 'paused';

-- Tasks of a group: pausing, counting and clearing it.
CREATE INDEX tasks_by_group ON taskfleet.tasks (group_name, id) WHERE group_name IS NOT NULL;

CREATE TABLE taskfleet.cancel_requests (
    task_id bigint PRIMARY KEY,
    requested_at timestamptz NOT NULL
);
COMMENT ON TABLE taskfleet.cancel_requests IS 'Running tasks that somebody wants stopped: told with the next heartbeat, and heeded by whatever would run them again.';

-- How many tasks are paused is counted like those that have finished.
ALTER TABLE taskfleet.state_ledger DROP CONSTRAINT state_ledger_state_check;
ALTER TABLE taskfleet.state_ledger ADD CONSTRAINT state_ledger_state_check CHECK (state IN ('succeeded', 'failed', 'cancelled', 'paused'));
COMMENT ON TABLE taskfleet.state_ledger IS 'Changes of the number of tasks that are kept (finished) or put aside (paused), by kind and state.';

CREATE OR REPLACE FUNCTION taskfleet.lock_class(name text) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE name WHEN 'queue' THEN 746601 WHEN 'kind' THEN 746602 WHEN 'job' THEN 746603 WHEN 'group' THEN 746604 END;

-- The advisory lock of a group. Groups share 32 of them: a batch with tasks of a hundred thousand groups must not fill the lock table.
CREATE FUNCTION taskfleet.group_lock(group_name text) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN hashtext(group_name) & 31;

-- Asked by everybody who is about to store a waiting task: whether its group is paused, so that the task goes to held and not to ready.
--
-- The answer holds until the transaction ends: the lock is shared among those who store, and whoever has paused the group takes it alone
-- once before believing that all its tasks are in sight. The look comes after the lock and, as a statement of its own in a volatile
-- function, has a younger snapshot. Never waits for long: nobody keeps the lock alone beyond one short statement.
-- (In a REPEATABLE READ transaction older than the pause the look is as old as the transaction: such a task is not held.)
CREATE FUNCTION taskfleet.enter_group_v1(given_kind integer, given_group text) RETURNS boolean
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

-- Whether somebody wants this task stopped, as of now and not as of the statement that asks: it may have waited for a lock.
CREATE FUNCTION taskfleet.cancel_wanted_v1(given_task bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE
AS $$
BEGIN
    RETURN EXISTS (SELECT FROM taskfleet.cancel_requests WHERE cancel_requests.task_id = given_task);
END;
$$;

-- Where tasks are, as of now: one row a task that exists, with 'scheduled', 'ready', 'running', 'paused', 'succeeded', 'failed', 'cancelled'.
CREATE FUNCTION taskfleet.task_states_v1(ids bigint[]) RETURNS TABLE (task_id bigint, state text)
LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT given.id, place.state
    FROM unnest(ids) AS given (id)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN ready.run_at > clock_timestamp() THEN 'scheduled' ELSE 'ready' END AS state
        FROM taskfleet.ready WHERE ready.task_id = given.id
        UNION ALL
        SELECT 'running' FROM taskfleet.leases WHERE leases.task_id = given.id
        UNION ALL
        SELECT 'paused' FROM taskfleet.held WHERE held.task_id = given.id
        UNION ALL
        SELECT dead_letters.state FROM taskfleet.dead_letters WHERE dead_letters.task_id = given.id
        UNION ALL
        SELECT 'succeeded' FROM taskfleet.succeeded_tasks WHERE succeeded_tasks.id = given.id
        OFFSET 0
    ) AS place;
END;
$$;

-- As in migration 0004, but tasks of groups that are just being paused are left out.
CREATE OR REPLACE FUNCTION taskfleet.pick_by_priority_v1(
    given_kind integer, given_priority smallint, from_at timestamptz, until_at timestamptz, row_limit integer
) RETURNS tid[]
LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM taskfleet.paused_groups WHERE paused_groups.state <> 'paused') THEN
        RETURN ARRAY(
            SELECT ready.ctid
            FROM taskfleet.ready
            WHERE ready.kind_id = given_kind
              AND ready.priority = given_priority
              AND ready.run_at >= from_at
              AND ready.run_at < until_at
              AND NOT taskfleet.group_pausing_v1(ready.task_id)
            ORDER BY ready.run_at, ready.task_id
            LIMIT row_limit
            FOR UPDATE SKIP LOCKED
        );
    END IF;
    RETURN ARRAY(
        SELECT ready.ctid
        FROM taskfleet.ready
        WHERE ready.kind_id = given_kind
          AND ready.priority = given_priority
          AND ready.run_at >= from_at
          AND ready.run_at < until_at
        ORDER BY ready.run_at, ready.task_id
        LIMIT row_limit
        FOR UPDATE SKIP LOCKED
    );
END;
$$;

CREATE OR REPLACE FUNCTION taskfleet.pick_by_age_v1(
    given_kind integer, from_at timestamptz, until_at timestamptz, row_limit integer
) RETURNS tid[]
LANGUAGE plpgsql
AS $$
BEGIN
    IF EXISTS (SELECT FROM taskfleet.paused_groups WHERE paused_groups.state <> 'paused') THEN
        RETURN ARRAY(
            SELECT ready.ctid
            FROM taskfleet.ready
            WHERE ready.kind_id::bigint = given_kind
              AND ready.run_at >= from_at
              AND ready.run_at < until_at
              AND NOT taskfleet.group_pausing_v1(ready.task_id)
            ORDER BY ready.run_at, ready.task_id
            LIMIT row_limit
            FOR UPDATE SKIP LOCKED
        );
    END IF;
    RETURN ARRAY(
        SELECT ready.ctid
        FROM taskfleet.ready
        WHERE ready.kind_id::bigint = given_kind
          AND ready.run_at >= from_at
          AND ready.run_at < until_at
        ORDER BY ready.run_at, ready.task_id
        LIMIT row_limit
        FOR UPDATE SKIP LOCKED
    );
END;
$$;

-- Whether a task that waits belongs to a group that is being paused and has only not been put aside yet.
CREATE FUNCTION taskfleet.group_pausing_v1(given_task bigint) RETURNS boolean
LANGUAGE plpgsql STABLE
AS $$
BEGIN
    RETURN EXISTS (
        SELECT
        FROM taskfleet.tasks
        JOIN taskfleet.kinds ON kinds.id = tasks.kind_id
        JOIN taskfleet.paused_groups ON paused_groups.queue_id = kinds.queue_id AND paused_groups.group_name = tasks.group_name
        WHERE tasks.id = given_task
          AND paused_groups.state = 'pausing'
    );
END;
$$;
