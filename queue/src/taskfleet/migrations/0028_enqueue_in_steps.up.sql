-- Put one task into its queue; enqueue_task.sql says what each argument is and what the answer means.
--
-- Plain statements one after the other and not one with a part for each case: a statement of eleven parts is set up anew at each call, which
-- took a fifth more than the four inserts that most calls need. Each statement sees what was committed before it, so also who holds a key.
-- The clock is read once and not from the transaction: what a long transaction enqueues has not waited since its start.
CREATE FUNCTION taskfleet.enqueue_v1(
    given_kind integer, payload jsonb, headers jsonb, priority smallint, run_at timestamptz, delay_seconds double precision, group_name text,
    entity text, idempotency_key text, max_attempts integer, wants_result boolean
)
RETURNS TABLE (kind_known boolean, task_id bigint, duplicate boolean)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
    now timestamptz := clock_timestamp();
    due timestamptz := coalesce(run_at, now + make_interval(secs => delay_seconds));
BEGIN
    kind_known := EXISTS (SELECT FROM taskfleet.kinds WHERE kinds.id = given_kind);
    duplicate := false;
    IF NOT kind_known THEN
        RETURN NEXT;
        RETURN;
    END IF;

    task_id := nextval('taskfleet.tasks_id_seq');
    IF idempotency_key IS NOT NULL THEN
        INSERT INTO taskfleet.idempotency_keys (kind_id, key, task_id)
        VALUES (given_kind, idempotency_key, task_id)
        ON CONFLICT (kind_id, key) DO NOTHING;
        IF NOT FOUND THEN
            SELECT idempotency_keys.task_id
            INTO task_id
            FROM taskfleet.idempotency_keys
            WHERE idempotency_keys.kind_id = given_kind
              AND idempotency_keys.key = idempotency_key;
            duplicate := FOUND;
            RETURN NEXT;
            RETURN;
        END IF;
    END IF;

    INSERT INTO taskfleet.tasks (id, kind_id, max_attempts, wants_result, created_at, payload, headers, group_name, entity, idempotency_key)
    VALUES (task_id, given_kind, max_attempts, wants_result, now, payload, headers, group_name, entity, idempotency_key);
    -- A statement of its own: the look at the group must not be older than the lock that makes it hold.
    IF group_name IS NOT NULL AND taskfleet.enter_group_v1(given_kind, group_name) THEN
        INSERT INTO taskfleet.held (task_id, run_at, due_since, held_at, kind_id, attempt_count, priority, by_hand, group_name)
        VALUES (task_id, due, due, now, given_kind, 0, priority, false, group_name);
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta) VALUES (given_kind, 'paused', 1);
    ELSE
        INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority) VALUES (task_id, due, due, given_kind, priority);
        INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
        VALUES (given_kind, priority, taskfleet.backlog_bucket(due, now), 1);
    END IF;
    INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, count) VALUES (given_kind, date_trunc('minute', now), 'enqueued', 1);
    RETURN NEXT;
END;
$$;
