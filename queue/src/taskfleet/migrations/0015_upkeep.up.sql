-- What upkeep needs: a trail of what was done, what queues keep and for how long, and sweeps that go on where they stopped.

ALTER TABLE taskfleet.queues ADD COLUMN stale_wait_seconds double precision CHECK (stale_wait_seconds > 0);
COMMENT ON COLUMN taskfleet.queues.stale_wait_seconds IS 'Longest wait of the stale lane; like the wait goal, expiry never goes below it.';

-- With the task's id, so that a sweep can go on among tasks that were enqueued in one moment.
DROP INDEX taskfleet.ready_tried_by_due;
CREATE INDEX ready_tried_by_due ON taskfleet.ready (kind_id, due_since, task_id) WHERE due_since < run_at;

-- The first nightly run comes at its hour, not at the moment the schema is made.
INSERT INTO taskfleet.maintenance_jobs (job, ran_at) VALUES ('nightly_dry_run', now()), ('nightly_cleanup', now());

CREATE SEQUENCE taskfleet.audit_ids;

CREATE TABLE taskfleet.audit_log (
    id bigint NOT NULL DEFAULT nextval('taskfleet.audit_ids'),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL CHECK (actor <> ''),
    database_user text NOT NULL DEFAULT session_user,
    action text NOT NULL CHECK (action <> ''),
    batch uuid,
    queue text,
    kind text,
    group_name text,
    trace_id text,
    task_id bigint,
    outcome text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
) PARTITION BY RANGE (at);
COMMENT ON TABLE taskfleet.audit_log IS 'Who did what to which tasks, by day; written in the transaction that does it, never updated.';
COMMENT ON COLUMN taskfleet.audit_log.database_user IS 'The user of the connection, whatever actor the caller claims.';
-- Pages by time, time to live.
CREATE INDEX audit_log_by_time ON taskfleet.audit_log (at, id);
-- Everything one command did.
CREATE INDEX audit_log_by_batch ON taskfleet.audit_log (batch) WHERE batch IS NOT NULL;
-- The trail of one task.
CREATE INDEX audit_log_by_task ON taskfleet.audit_log (task_id) WHERE task_id IS NOT NULL;
-- One request across services.
CREATE INDEX audit_log_by_trace ON taskfleet.audit_log (trace_id) WHERE trace_id IS NOT NULL;

CREATE TABLE taskfleet.retention_marks (
    queue_id integer PRIMARY KEY,
    trimmed_until date NOT NULL
);
COMMENT ON TABLE taskfleet.retention_marks IS 'Queues that keep successes for less than the longest: days before this one hold none of theirs any more.';

-- As in migration 0003, with the audit log among the relations.
CREATE OR REPLACE FUNCTION taskfleet.create_partitions_v1(first_day date, days integer) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    home text := (SELECT quote_ident(nspname) FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid
                  WHERE pg_class.oid = 'taskfleet.tasks'::regclass);
    relation text;
    day date;
    partition text;
    made integer := 0;
BEGIN
    FOREACH relation IN ARRAY ARRAY['attempts', 'succeeded_tasks', 'audit_log'] LOOP
        FOR day IN SELECT generate_series(first_day, first_day + days - 1, interval '1 day')::date LOOP
            partition := format('%s.%I', home, relation || '_' || to_char(day, 'YYYYMMDD'));
            CONTINUE WHEN to_regclass(partition) IS NOT NULL;
            EXECUTE format('CREATE TABLE %s (LIKE %s.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition, home, relation);
            EXECUTE format(
                'ALTER TABLE %s.%I ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                home, relation, partition, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00'
            );
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END;
$$;

SELECT taskfleet.create_partitions_v1((now() AT TIME ZONE 'UTC')::date - 1, 9);

-- How long a task of a queue may wait: what was asked for, else what its policy says, else two hours; never less than the queue means to
-- make its tasks wait.
CREATE FUNCTION taskfleet.waiting_limit_seconds(queue taskfleet.queues, asked_seconds double precision DEFAULT NULL) RETURNS double precision
LANGUAGE sql STABLE
RETURN greatest(
    coalesce(asked_seconds, CASE WHEN (queue).policy_written_at IS NULL THEN 7200 ELSE (queue).waiting_expiry_seconds END),
    (queue).wait_goal_seconds,
    (queue).stale_wait_seconds
);

-- End waiting tasks of one kind: their rows in ready are locked by the caller. Returns how many.
--
--   state, reason, code, message  what the dead letters say; an expired one also since when it waited
CREATE FUNCTION taskfleet.bury_waiting_v1(picked tid[], given_kind integer, state text, reason text, code text, message text) RETURNS integer
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
    now timestamptz := clock_timestamp();
    ended integer;
BEGIN
    WITH ended_tasks AS (
        DELETE FROM taskfleet.ready
        WHERE ready.ctid = ANY (picked)
        RETURNING ready.*
    ),
    buried AS MATERIALIZED (
        SELECT ended_tasks.*, task.*
        FROM ended_tasks
        CROSS JOIN LATERAL (
            SELECT tasks.group_name, tasks.headers, tasks.idempotency_key
            FROM taskfleet.tasks
            WHERE tasks.id = ended_tasks.task_id
            OFFSET 0
        ) AS task
    ),
    dead AS (
        INSERT INTO taskfleet.dead_letters (
            task_id, kind_id, state, reason, code, message, priority, attempt_count, due_since, last_attempt_at, failed_at, group_name, trace_id
        )
        SELECT
            buried.task_id, buried.kind_id, state, reason, code,
            CASE
                WHEN reason = 'expired'
                    THEN concat('waited since ', to_char(buried.due_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), ', ', message)
                ELSE message
            END,
            buried.priority, buried.attempt_count, buried.due_since, buried.last_attempt_at, now, buried.group_name,
            taskfleet.trace_id(buried.headers)
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
        WHERE cancel_requests.task_id = ANY (ARRAY(SELECT buried.task_id FROM buried))
    ),
    backlog AS (
        INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
        SELECT given_kind, ended_tasks.priority, taskfleet.backlog_bucket(ended_tasks.run_at, now), -count(*)
        FROM ended_tasks
        GROUP BY 2, 3
    ),
    outcomes AS (
        INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, code, count)
        SELECT given_kind, date_trunc('minute', now), state, code, count(*)
        FROM ended_tasks
        HAVING count(*) > 0
    ),
    states AS (
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
        SELECT given_kind, state, count(*)
        FROM ended_tasks
        HAVING count(*) > 0
    )
    SELECT count(*) INTO ended FROM ended_tasks;
    RETURN ended;
END;
$$;

-- Look at the next waiting tasks of one kind that are due since before a moment, and end those that match.
--
--   given_group        NULL: any group
--   due_before         end tasks due since before this moment
--   tried              false: those whose run_at lies before it too, by run_at; true: those that wait for another attempt, by due_since
--   after_at, after_id where the last call stopped; '-infinity', 0 begins
--   row_limit          most rows to look at
--   ending             {state, reason, code, message}; NULL: count only
--
-- Returns one row: how many rows it saw (fewer than row_limit: it is through), how many it ended or would end, and where it stopped.
-- A filter that matches little must not begin at the start each time: hence the place. Indexes: ready_by_age, ready_tried_by_due.
CREATE FUNCTION taskfleet.sweep_waiting_v1(
    given_kind integer, given_group text, due_before timestamptz, tried boolean, after_at timestamptz, after_id bigint, row_limit integer,
    ending text[]
)
RETURNS TABLE (seen integer, matched integer, last_at timestamptz, last_id bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
DECLARE
    ids bigint[];
    moments timestamptz[];
    picked tid[];
BEGIN
    IF tried THEN
        SELECT array_agg(found.task_id), array_agg(found.due_since)
        INTO ids, moments
        FROM (
            SELECT ready.task_id, ready.due_since
            FROM taskfleet.ready
            WHERE ready.kind_id = given_kind
              AND ready.due_since < due_before
              AND ready.due_since < ready.run_at
              AND ready.run_at >= due_before
              AND (ready.due_since, ready.task_id) > (after_at, after_id)
            ORDER BY ready.due_since, ready.task_id
            LIMIT row_limit
        ) AS found;
    ELSE
        SELECT array_agg(found.task_id), array_agg(found.run_at)
        INTO ids, moments
        FROM (
            SELECT ready.task_id, ready.run_at
            FROM taskfleet.ready
            WHERE ready.kind_id::bigint = given_kind
              AND ready.run_at < due_before
              AND ready.due_since < due_before
              AND (ready.run_at, ready.task_id) > (after_at, after_id)
            ORDER BY ready.run_at, ready.task_id
            LIMIT row_limit
        ) AS found;
    END IF;
    seen := coalesce(cardinality(ids), 0);
    last_id := ids[seen];
    last_at := moments[seen];

    IF given_group IS NOT NULL THEN
        ids := ARRAY(
            SELECT named.id
            FROM unnest(ids) AS named (id)
            CROSS JOIN LATERAL (
                SELECT
                FROM taskfleet.tasks
                WHERE tasks.id = named.id
                  AND tasks.group_name = given_group
                OFFSET 0
            ) AS task
        );
    END IF;
    matched := coalesce(cardinality(ids), 0);

    IF ending IS NOT NULL AND matched > 0 THEN
        -- Locked by primary key: whoever has just claimed, paused or cancelled one of them was first.
        picked := ARRAY(
            SELECT waiting.at
            FROM unnest(ids) AS named (id)
            CROSS JOIN LATERAL (
                SELECT ready.ctid AS at
                FROM taskfleet.ready
                WHERE ready.task_id = named.id
                  AND ready.kind_id = given_kind
                  AND ready.due_since < due_before
                OFFSET 0
                FOR UPDATE SKIP LOCKED
            ) AS waiting
        );
        matched := taskfleet.bury_waiting_v1(picked, given_kind, ending[1], ending[2], ending[3], ending[4]);
    END IF;
    RETURN NEXT;
END;
$$;

-- End running tasks of one kind that have run for too long, for good; their workers learn it from the next heartbeat.
--
--   started_before  end attempts that started before this moment
--   row_limit       most at once
--   ending          {state, reason, code, message}
--
-- Returns how many. Index: leases_by_kind.
CREATE FUNCTION taskfleet.end_running_v1(given_kind integer, started_before timestamptz, row_limit integer, ending text[]) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    now timestamptz := clock_timestamp();
    ended integer;
BEGIN
    WITH late AS MATERIALIZED (
        SELECT leases.*
        FROM taskfleet.leases
        WHERE leases.kind_id = given_kind
          AND leases.started_at < started_before
        ORDER BY leases.task_id
        LIMIT row_limit
        FOR UPDATE SKIP LOCKED
    ),
    ended_leases AS (
        DELETE FROM taskfleet.leases
        USING late
        WHERE leases.task_id = late.task_id
          AND leases.token = late.token
    ),
    buried AS MATERIALIZED (
        SELECT late.*, tasks.group_name, tasks.headers, tasks.idempotency_key, (
            SELECT sessions.worker FROM taskfleet.sessions WHERE sessions.id = late.session_id
        ) AS worker
        FROM late
        JOIN taskfleet.tasks ON tasks.id = late.task_id
    ),
    dead AS (
        INSERT INTO taskfleet.dead_letters (
            task_id, kind_id, state, reason, code, message, priority, attempt_count, due_since, last_attempt_at, failed_at, group_name, trace_id
        )
        SELECT
            buried.task_id, given_kind, ending[1], ending[2], ending[3], ending[4], buried.priority, buried.attempt_count, buried.due_since,
            buried.started_at, now, buried.group_name, taskfleet.trace_id(buried.headers)
        FROM buried
    ),
    freed AS (
        DELETE FROM taskfleet.idempotency_keys
        USING buried
        WHERE idempotency_keys.kind_id = given_kind
          AND idempotency_keys.key = buried.idempotency_key
          AND idempotency_keys.task_id = buried.task_id
    ),
    forgotten AS (
        DELETE FROM taskfleet.cancel_requests
        USING buried
        WHERE cancel_requests.task_id = buried.task_id
    ),
    history AS (
        INSERT INTO taskfleet.attempts (task_id, attempt, code, message, started_at, finished_at, worker)
        SELECT buried.task_id, buried.attempt_count, ending[3], ending[4], buried.started_at, now, buried.worker
        FROM buried
    ),
    outcomes AS (
        INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, code, count, busy_seconds)
        SELECT
            given_kind, date_trunc('minute', now), ending[1], ending[3], count(*),
            extract(epoch FROM sum(now - buried.started_at))::double precision
        FROM buried
        HAVING count(*) > 0
    ),
    states AS (
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
        SELECT given_kind, ending[1], count(*)
        FROM buried
        HAVING count(*) > 0
    )
    SELECT count(*) INTO ended FROM buried;
    RETURN ended;
END;
$$;

-- Forget successes of some kinds in one day's partition, going through it by id.
--
--   partition  name without schema
--   after_id   where the last call stopped; begin with the least bigint
--   row_limit  most rows to look at
--   dry_run    count only
--
-- Returns one row: how many rows it saw (fewer than row_limit: it is through), how many it forgot or would, and where it stopped.
CREATE FUNCTION taskfleet.trim_succeeded_v1(partition text, kind_ids integer[], after_id bigint, row_limit integer, dry_run boolean)
RETURNS TABLE (seen integer, matched integer, last_id bigint)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
AS $$
DECLARE
    home text := (SELECT quote_ident(nspname) FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid
                  WHERE pg_class.oid = 'taskfleet.tasks'::regclass);
    old_rows tid[];
BEGIN
    EXECUTE format(
        'SELECT count(*), max(id), coalesce(array_agg(at) FILTER (WHERE kind_id = ANY ($1)), ''{}'')'
        ' FROM (SELECT ctid AS at, id, kind_id FROM %s.%I WHERE id > $2 ORDER BY id LIMIT $3 %s) AS next',
        home, partition, CASE WHEN dry_run THEN '' ELSE 'FOR UPDATE SKIP LOCKED' END
    )
    INTO seen, last_id, old_rows
    USING kind_ids, after_id, row_limit;
    matched := cardinality(old_rows);

    IF NOT dry_run AND matched > 0 THEN
        EXECUTE format(
            'WITH forgotten AS (DELETE FROM %1$s.%2$I WHERE ctid = ANY ($1) RETURNING kind_id)'
            ' INSERT INTO %1$s.state_ledger (kind_id, state, delta) SELECT kind_id, ''succeeded'', -count(*) FROM forgotten GROUP BY kind_id',
            home, partition
        )
        USING old_rows;
    END IF;
    RETURN NEXT;
END;
$$;
