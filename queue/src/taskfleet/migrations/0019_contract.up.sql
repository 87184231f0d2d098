-- The contract for programs in other languages: docs/sql-contract.md. These names, their parameters and their columns stay; what they call
-- may be exchanged for a newer version by a later migration. Each checks what it is given, because nobody else has.

-- Refuse parallel arrays of different lengths: unnest would fill them up with NULL, and a lease would silently go unsettled.
CREATE FUNCTION taskfleet.require_parallel_v1(what text, wanted integer, given integer) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF given IS DISTINCT FROM wanted THEN
        RAISE EXCEPTION '% has % elements, task_ids has %: give one for each task', what, coalesce(given::text, 'no'), wanted
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END;
$$;

-- Refuse a short text of a task that is no key of an index: 1 to 512 bytes, NULL leaves it out.
CREATE FUNCTION taskfleet.require_text_v1(what text, given text) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    IF octet_length(given) NOT BETWEEN 1 AND 512 THEN
        RAISE EXCEPTION '% has % bytes, it must have 1 to 512; NULL leaves it out', what, octet_length(given)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
END;
$$;

-- The ids of a queue's kinds, which are created where they are missing; what exists keeps its policy.
-- In order of their names, so that two creators of the same kinds wait for each other instead of deadlocking. The look afterwards is a
-- statement of its own: it sees what another has committed meanwhile.
CREATE FUNCTION taskfleet.create_kinds_v1(given_queue text, given_kinds text[]) RETURNS integer[]
LANGUAGE plpgsql
AS $$
DECLARE
    found_queue integer;
    wrong text;
BEGIN
    IF given_queue IS NULL OR length(given_queue) > 63 OR given_queue !~ '^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$' THEN
        RAISE EXCEPTION 'queue % is no name of a queue: 1 to 63 letters, digits, ".", "_" or "-", letter or digit at both ends',
            coalesce(quote_literal(given_queue), 'NULL')
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT coalesce(quote_literal(given.name), 'NULL')
    INTO wrong
    FROM unnest(given_kinds) AS given (name)
    WHERE given.name IS NULL OR length(given.name) > 100 OR given.name !~ '^[A-Za-z0-9_]([A-Za-z0-9_.:/-]*[A-Za-z0-9_])?$'
    LIMIT 1;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'kind % is no name of a kind: 1 to 100 letters, digits, "_", ".", ":", "/" or "-", letter, digit or "_" at both ends',
            wrong
            USING ERRCODE = 'invalid_parameter_value';
    END IF;

    SELECT queues.id INTO found_queue FROM taskfleet.queues WHERE queues.name = given_queue;
    IF found_queue IS NULL THEN
        INSERT INTO taskfleet.queues (name) VALUES (given_queue) ON CONFLICT (name) DO NOTHING;
        SELECT queues.id INTO STRICT found_queue FROM taskfleet.queues WHERE queues.name = given_queue;
    END IF;
    INSERT INTO taskfleet.kinds (queue_id, name)
    SELECT found_queue, missing.name
    FROM unnest(given_kinds) AS missing (name)
    WHERE NOT EXISTS (SELECT FROM taskfleet.kinds WHERE kinds.queue_id = found_queue AND kinds.name = missing.name)
    ORDER BY missing.name
    ON CONFLICT (queue_id, name) DO NOTHING;
    RETURN ARRAY(
        SELECT kinds.id
        FROM taskfleet.kinds
        WHERE kinds.queue_id = found_queue
          AND kinds.name = ANY (given_kinds)
    );
END;
$$;

-- Refuse a task that does not fit into its queue any more: SQLSTATE TQ001.
-- How full the queue is, is looked at once a second and again when a tenth of the room that was seen is used up, as the producers do:
-- a trigger that enqueues for each of ten thousand rows must not add up the ledger ten thousand times. What was seen is kept in a
-- setting of the connection, which a rollback takes back together with the tasks.
CREATE FUNCTION taskfleet.require_room_v1(given_queue integer) RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    note text := format('taskfleet_room.s%s_q%s', 'taskfleet.queues'::regclass::oid, given_queue);
    seen double precision[] := string_to_array(nullif(current_setting(note, true), ''), ' ');
    now double precision := extract(epoch FROM clock_timestamp());
    policy record;
    waiting bigint;
BEGIN
    IF seen IS NULL OR now - seen[1] NOT BETWEEN 0 AND 1 OR seen[2] < 1 THEN
        SELECT queues.name, queues.max_length INTO policy FROM taskfleet.queues WHERE queues.id = given_queue;
        IF policy.max_length IS NULL THEN
            RETURN;
        END IF;
        SELECT coalesce(sum(deltas.delta), 0)
        INTO waiting
        FROM (
            SELECT backlog_buckets.kind_id, backlog_buckets.waiting AS delta FROM taskfleet.backlog_buckets
            UNION ALL
            SELECT backlog_ledger.kind_id, backlog_ledger.delta FROM taskfleet.backlog_ledger
        ) AS deltas
        WHERE deltas.kind_id IN (SELECT kinds.id FROM taskfleet.kinds WHERE kinds.queue_id = given_queue);
        IF waiting >= policy.max_length THEN
            RAISE EXCEPTION 'queue % holds % tasks, its limit is %', quote_literal(policy.name), waiting, policy.max_length
                USING ERRCODE = 'TQ001', HINT = 'Let it drain, or raise limits.maxLength.';
        END IF;
        seen := ARRAY[now, ceil((policy.max_length - waiting) / 10.0)];
    END IF;
    PERFORM set_config(note, format('%s %s', seen[1], seen[2] - 1), false);
END;
$$;

-- Put one task into a queue, in the caller's transaction; the queue and the kind are created at first use.
--
--   queue, kind      text
--   payload          jsonb
--   priority         integer           0-9, lower first
--   run_at           timestamptz       not before; or
--   delay_seconds    double precision  not before so many seconds from now
--   group_name, entity, idempotency_key   text, 1 to 512 bytes
--   headers          jsonb             an object of texts
--   max_attempts     integer           NULL: what the kind or the queue says
--   wants_result     boolean           whether the worker's result is kept
--
-- Returns one row. duplicate: task_id is that of the unfinished task that holds the idempotency key, nothing was stored.
-- Raises 22023 (a wrong value), TQ001 (the queue is full), 40001 (others kept taking and freeing the key: try again); nothing was stored then.
CREATE FUNCTION taskfleet.enqueue(
    queue text, kind text, payload jsonb DEFAULT NULL, priority integer DEFAULT 5, run_at timestamptz DEFAULT NULL,
    delay_seconds double precision DEFAULT NULL, group_name text DEFAULT NULL, entity text DEFAULT NULL, idempotency_key text DEFAULT NULL,
    headers jsonb DEFAULT NULL, max_attempts integer DEFAULT NULL, wants_result boolean DEFAULT false
)
RETURNS TABLE (task_id bigint, duplicate boolean)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
DECLARE
    -- Not the transaction's clock: what a long transaction enqueues has not waited since its start.
    now timestamptz := clock_timestamp();
    due timestamptz := coalesce(run_at, now + make_interval(secs => coalesce(delay_seconds, 0)));
    given_kind integer;
    home record;
BEGIN
    IF priority IS NULL OR priority NOT BETWEEN 0 AND 9 THEN
        RAISE EXCEPTION 'priority is %, it must be 0 to 9, lower first', coalesce(priority::text, 'NULL') USING ERRCODE = 'invalid_parameter_value';
    ELSIF delay_seconds NOT BETWEEN 0 AND 315360000 THEN
        RAISE EXCEPTION 'delay_seconds is %, it must be 0 to 315360000 (ten years)', delay_seconds USING ERRCODE = 'invalid_parameter_value';
    ELSIF run_at IS NOT NULL AND delay_seconds IS NOT NULL THEN
        RAISE EXCEPTION 'run_at and delay_seconds exclude each other: give one' USING ERRCODE = 'invalid_parameter_value';
    ELSIF NOT isfinite(run_at) THEN
        RAISE EXCEPTION 'run_at is %, it must be a moment', run_at USING ERRCODE = 'invalid_parameter_value';
    ELSIF max_attempts NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'max_attempts is %, it must be 1 to 1000', max_attempts USING ERRCODE = 'invalid_parameter_value';
    ELSIF jsonb_typeof(headers) <> 'object' OR octet_length(headers::text) > 8192
        OR jsonb_path_exists(headers, 'strict $.* ? (@.type() != "string")', silent => true) THEN
        RAISE EXCEPTION 'headers must be an object of texts, at most 8192 bytes as JSON' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM taskfleet.require_text_v1('group_name', group_name);
    PERFORM taskfleet.require_text_v1('entity', entity);
    PERFORM taskfleet.require_text_v1('idempotency_key', idempotency_key);

    SELECT kinds.id, kinds.queue_id, queues.max_payload_bytes
    INTO home
    FROM taskfleet.queues JOIN taskfleet.kinds ON kinds.queue_id = queues.id
    WHERE queues.name = queue AND kinds.name = kind;
    IF NOT FOUND THEN
        given_kind := (taskfleet.create_kinds_v1(queue, ARRAY[kind]))[1];
        SELECT kinds.id, kinds.queue_id, queues.max_payload_bytes
        INTO STRICT home
        FROM taskfleet.queues JOIN taskfleet.kinds ON kinds.queue_id = queues.id
        WHERE kinds.id = given_kind;
    END IF;
    IF octet_length(payload::text) > home.max_payload_bytes THEN
        RAISE EXCEPTION 'the payload has % bytes as JSON, queue % takes %', octet_length(payload::text), quote_literal(queue), home.max_payload_bytes
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Keep the data elsewhere and enqueue a reference to it, or raise limits.maxPayloadBytes.';
    END IF;
    PERFORM taskfleet.require_room_v1(home.queue_id);

    task_id := nextval('taskfleet.tasks_id_seq');
    duplicate := false;
    IF idempotency_key IS NOT NULL THEN
        -- Each try is a statement of its own: it sees what was committed after the last one.
        FOR try IN 1..3 LOOP
            INSERT INTO taskfleet.idempotency_keys (kind_id, key, task_id)
            VALUES (home.id, idempotency_key, task_id)
            ON CONFLICT (kind_id, key) DO NOTHING;
            EXIT WHEN FOUND;
            SELECT idempotency_keys.task_id
            INTO task_id
            FROM taskfleet.idempotency_keys
            WHERE idempotency_keys.kind_id = home.id
              AND idempotency_keys.key = idempotency_key;
            IF FOUND THEN
                duplicate := true;
                RETURN NEXT;
                RETURN;
            ELSIF try = 3 THEN
                RAISE EXCEPTION 'kind %, idempotency key %: others kept taking and freeing it', quote_literal(kind), quote_literal(idempotency_key)
                    USING ERRCODE = 'serialization_failure', HINT = 'Nothing was enqueued, try again.';
            END IF;
            task_id := nextval('taskfleet.tasks_id_seq');
        END LOOP;
    END IF;

    INSERT INTO taskfleet.tasks (id, kind_id, max_attempts, wants_result, created_at, payload, headers, group_name, entity, idempotency_key)
    VALUES (task_id, home.id, max_attempts, coalesce(wants_result, false), now, payload, headers, group_name, entity, idempotency_key);
    IF taskfleet.enter_group_v1(home.id, group_name) THEN
        INSERT INTO taskfleet.held (task_id, run_at, due_since, held_at, kind_id, attempt_count, priority, by_hand, group_name)
        VALUES (task_id, due, due, now, home.id, 0, priority, false, group_name);
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta) VALUES (home.id, 'paused', 1);
    ELSE
        INSERT INTO taskfleet.ready (task_id, run_at, due_since, kind_id, priority) VALUES (task_id, due, due, home.id, priority);
        INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
        VALUES (home.id, priority, taskfleet.backlog_bucket(due, now), 1);
    END IF;
    INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, count) VALUES (home.id, date_trunc('minute', now), 'enqueued', 1);
    RETURN NEXT;
END;
$$;

-- Tell sleeping workers of a queue that there is work. Call it after the commit, in autocommit: inside the transaction that enqueues, its
-- lock at commit would make all such transactions wait for each other. Without it polling finds the task.
CREATE FUNCTION taskfleet.wake(queue text) RETURNS void
LANGUAGE sql
AS $$ SELECT pg_notify(left('taskfleet_queue_' || queue, 63), '') $$;

-- Tell who waits for the results of these tasks that they have ended. After the commit, like wake.
CREATE FUNCTION taskfleet.announce(task_ids bigint[]) RETURNS void
LANGUAGE sql
AS $$ SELECT pg_notify('taskfleet_results', ended::text) FROM unnest(task_ids) AS ended $$;

-- Register a worker process; its queue and kinds are created where they do not exist.
--
--   session        uuid              new for each process start, never used again
--   worker         text              label: host and process, or the pod's name
--   slots          integer           tasks it runs at once
--   kinds          text[]            what it has handlers for
--   lease_seconds  double precision  how long it lives without a renewal, 1 or more
--   pod_uid        text              NULL outside Kubernetes
CREATE FUNCTION taskfleet.open_session(
    session uuid, queue text, worker text, slots integer, kinds text[], lease_seconds double precision DEFAULT 600, pod_uid text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
BEGIN
    IF session IS NULL OR worker IS NULL OR slots IS NULL OR slots < 1 OR coalesce(cardinality(kinds), 0) = 0
        OR lease_seconds IS NULL OR lease_seconds < 1 THEN
        RAISE EXCEPTION 'a session needs an id, a worker''s name, at least one slot, at least one kind and a lease of at least 1 s'
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM taskfleet.create_kinds_v1(queue, kinds);
    INSERT INTO taskfleet.sessions (id, queue_id, worker, pod_uid, slots, kinds, lease_seconds, heartbeat_at, expires_at)
    SELECT session, queues.id, worker, pod_uid, slots, kinds, lease_seconds, now(), now() + make_interval(secs => lease_seconds)
    FROM taskfleet.queues
    WHERE queues.name = queue
    ON CONFLICT (id) DO NOTHING;
END;
$$;

-- Claim up to task_limit waiting tasks under one lease token. Call it in autocommit.
--
--   kinds        text[]   what the worker has handlers for
--   task_limit   integer  its free slots
--   stale_slots  integer  how much of task_limit goes to tasks older than the queue's fresh_seconds
--
-- Returns one row a task, or one row with a verdict and no task: idle, quota, rate, ceiling, paused, draining, session_lost.
CREATE FUNCTION taskfleet.claim(session uuid, kinds text[], task_limit integer, stale_slots integer DEFAULT 0)
RETURNS TABLE (
    verdict text, limited boolean, task_id bigint, token uuid, kind text, payload jsonb, headers jsonb, group_name text, entity text,
    priority smallint, attempt integer, max_attempts integer, run_at timestamptz, waited_seconds double precision,
    timeout_seconds double precision, entity_missing boolean
)
LANGUAGE plpgsql
AS $$
BEGIN
    IF task_limit IS NULL OR task_limit NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'task_limit is %, it must be 1 to 10000', coalesce(task_limit::text, 'NULL') USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    SELECT claimed.*
    FROM taskfleet.claim_v1(session, kinds, task_limit, stale_slots => coalesce(stale_slots, 0)) AS claimed;
END;
$$;

-- Say that the worker lives and what it holds: every lease whose settlement has not been answered yet.
--
-- Returns one row. known = false: the session has expired, all it held is lost. draining: claim no more. lost: leases that others have.
-- cancelled: tasks that somebody wants stopped. released: leases that two renewals in a row did not name and that went back. stale_share:
-- the part of the slots that belongs to old tasks.
CREATE FUNCTION taskfleet.renew(session uuid, task_ids bigint[], tokens uuid[])
RETURNS TABLE (known boolean, draining boolean, lost bigint[], cancelled bigint[], released integer, stale_share double precision)
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM taskfleet.require_parallel_v1('tokens', cardinality(task_ids), cardinality(tokens));
    RETURN QUERY
    SELECT beat.known, beat.draining, beat.lost, beat.cancelled, beat.released, beat.stale_share
    FROM taskfleet.heartbeat_v2(session, task_ids, tokens) AS beat;
END;
$$;

-- Finish tasks that went well. Returns one row a lease that held; a task that is missing was taken over by another worker.
--
--   results  jsonb[]  what each handler returned; NULL: none returned anything
CREATE FUNCTION taskfleet.complete(task_ids bigint[], tokens uuid[], results jsonb[] DEFAULT NULL)
RETURNS TABLE (task_id bigint, result_wanted boolean)
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM taskfleet.require_parallel_v1('tokens', cardinality(task_ids), cardinality(tokens));
    PERFORM taskfleet.require_parallel_v1('results', cardinality(task_ids), cardinality(results)) WHERE results IS NOT NULL;
    RETURN QUERY SELECT done.* FROM taskfleet.complete_v1(task_ids, tokens, results) AS done;
END;
$$;

-- End attempts that went wrong. Returns one row a lease that held: 'retried', 'failed', or 'cancelled' where somebody had wanted that.
--
--   codes       text[]     TASK_EXECUTION_FAILED, TASK_PAYLOAD_INVALID, …
--   messages    text[]     what a person reads; kept up to 10,000 characters
--   stacks      text[]     where it happened; the last 50,000 characters are kept
--   retryables  boolean[]  false: a dead letter at once; NULL: only TASK_EXECUTION_FAILED, TASK_TIMED_OUT and TASK_LEASE_EXPIRED are tried again
--   entities    text[]     entities found missing, remembered for the whole fleet
CREATE FUNCTION taskfleet.fail(
    task_ids bigint[], tokens uuid[], codes text[], messages text[], stacks text[] DEFAULT NULL, retryables boolean[] DEFAULT NULL,
    entities text[] DEFAULT NULL
)
RETURNS TABLE (task_id bigint, outcome text)
LANGUAGE plpgsql
AS $$
#variable_conflict use_variable
BEGIN
    PERFORM taskfleet.require_parallel_v1('tokens', cardinality(task_ids), cardinality(tokens));
    PERFORM taskfleet.require_parallel_v1('codes', cardinality(task_ids), cardinality(codes));
    PERFORM taskfleet.require_parallel_v1('messages', cardinality(task_ids), cardinality(messages));
    PERFORM taskfleet.require_parallel_v1('stacks', cardinality(task_ids), cardinality(stacks)) WHERE stacks IS NOT NULL;
    PERFORM taskfleet.require_parallel_v1('retryables', cardinality(task_ids), cardinality(retryables)) WHERE retryables IS NOT NULL;
    PERFORM taskfleet.require_parallel_v1('entities', cardinality(task_ids), cardinality(entities)) WHERE entities IS NOT NULL;
    IF array_position(codes, NULL) IS NOT NULL OR array_position(messages, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'codes and messages may not be NULL: say what went wrong' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    SELECT ended.*
    FROM taskfleet.fail_v1(
        task_ids,
        tokens,
        codes,
        ARRAY(SELECT left(item.text, 10000) FROM unnest(messages) WITH ORDINALITY AS item (text, place) ORDER BY item.place),
        ARRAY(SELECT right(item.text, 50000) FROM unnest(stacks) WITH ORDINALITY AS item (text, place) ORDER BY item.place),
        ARRAY(
            SELECT coalesce(item.retryable, item.code IN ('TASK_EXECUTION_FAILED', 'TASK_TIMED_OUT', 'TASK_LEASE_EXPIRED'))
            FROM unnest(codes, retryables) WITH ORDINALITY AS item (code, retryable, place)
            ORDER BY item.place
        ),
        entities
    ) AS ended;
END;
$$;

-- Give tasks back without using up an attempt. Returns one row a lease that held: 'released', 'failed' when it had waited too long, or
-- 'cancelled' where somebody had wanted that.
--
--   codes   text[]              why: TASK_OVERLOADED, TASK_RETRY_LATER, TASK_SHUTDOWN
--   delays  double precision[]  seconds until each may run again; 0, or NULL for all: at once, in its old place
CREATE FUNCTION taskfleet.release(task_ids bigint[], tokens uuid[], codes text[], delays double precision[] DEFAULT NULL)
RETURNS TABLE (task_id bigint, outcome text)
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM taskfleet.require_parallel_v1('tokens', cardinality(task_ids), cardinality(tokens));
    PERFORM taskfleet.require_parallel_v1('codes', cardinality(task_ids), cardinality(codes));
    PERFORM taskfleet.require_parallel_v1('delays', cardinality(task_ids), cardinality(delays)) WHERE delays IS NOT NULL;
    IF array_position(codes, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'codes may not be NULL: say why' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY
    SELECT freed.*
    FROM taskfleet.release_v1(
        task_ids, tokens, codes, coalesce(delays, array_fill(0::double precision, ARRAY[cardinality(task_ids)]))
    ) AS freed;
END;
$$;

-- Say that a draining worker holds nothing any more, after its last claim has returned; false when it is not draining or holds a lease.
CREATE FUNCTION taskfleet.mark_drained(session uuid) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE taskfleet.sessions
    SET drained_at = coalesce(sessions.drained_at, now())
    WHERE sessions.id = session
      AND sessions.draining
      AND NOT EXISTS (SELECT FROM taskfleet.leases WHERE leases.session_id = session);
    RETURN FOUND;
END;
$$;

-- Say goodbye: what the session still holds goes back without using up an attempt; returns how many tasks that were.
CREATE FUNCTION taskfleet.close_session(session uuid) RETURNS integer
LANGUAGE sql
AS $$ SELECT taskfleet.close_session_v1(session) $$;
