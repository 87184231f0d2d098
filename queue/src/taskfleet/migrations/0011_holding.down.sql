-- loses pauses of tasks and groups, so that paused tasks wait again: SELECT 1 FROM taskfleet.held UNION ALL SELECT 1 FROM taskfleet.paused_groups
-- loses requests to cancel running tasks: SELECT 1 FROM taskfleet.cancel_requests
-- loses when queues and kinds were resumed, so that expiry counts their pauses: SELECT 1 FROM taskfleet.queues WHERE resumed_at IS NOT NULL UNION ALL SELECT 1 FROM taskfleet.kinds WHERE resumed_at IS NOT NULL
-- The way back: what was put aside waits again, and requests to cancel are forgotten.
WITH freed AS (
    DELETE FROM taskfleet.held
    RETURNING held.task_id, held.run_at, held.due_since, held.last_attempt_at, held.kind_id, held.attempt_count, held.priority
),
waiting AS (
    INSERT INTO taskfleet.ready (task_id, run_at, due_since, last_attempt_at, kind_id, attempt_count, priority)
    SELECT task_id, run_at, due_since, last_attempt_at, kind_id, attempt_count, priority
    FROM freed
)
INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
SELECT kind_id, priority, taskfleet.backlog_bucket(run_at, clock_timestamp()), count(*)
FROM freed
GROUP BY 1, 2, 3;

DELETE FROM taskfleet.state_ledger WHERE state_ledger.state = 'paused';
DELETE FROM taskfleet.state_totals WHERE state_totals.state = 'paused';

CREATE OR REPLACE FUNCTION taskfleet.pick_by_priority_v1(
    given_kind integer, given_priority smallint, from_at timestamptz, until_at timestamptz, row_limit integer
) RETURNS tid[]
LANGUAGE plpgsql
AS $$
BEGIN
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

DROP FUNCTION taskfleet.group_pausing_v1(bigint);
DROP FUNCTION taskfleet.task_states_v1(bigint[]);
DROP FUNCTION taskfleet.cancel_wanted_v1(bigint);
DROP FUNCTION taskfleet.enter_group_v1(integer, text);
DROP FUNCTION taskfleet.group_lock(text);
CREATE OR REPLACE FUNCTION taskfleet.lock_class(name text) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE name WHEN 'queue' THEN 746601 WHEN 'kind' THEN 746602 WHEN 'job' THEN 746603 END;

ALTER TABLE taskfleet.state_ledger DROP CONSTRAINT state_ledger_state_check;
ALTER TABLE taskfleet.state_ledger ADD CONSTRAINT state_ledger_state_check CHECK (state IN ('succeeded', 'failed', 'cancelled'));
COMMENT ON TABLE taskfleet.state_ledger IS 'Changes of the number of finished tasks that are kept, by kind and state.';
DROP TABLE taskfleet.cancel_requests;
DROP INDEX taskfleet.tasks_by_group;
DROP TABLE taskfleet.paused_groups;
DROP TABLE taskfleet.held;
ALTER TABLE taskfleet.kinds DROP COLUMN resumed_at;
ALTER TABLE taskfleet.queues DROP COLUMN resumed_at;
