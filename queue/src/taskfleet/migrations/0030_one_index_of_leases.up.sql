-- Claims write less: one index fewer on leases, and a task on its way from ready to its worker passes through one statement instead of an
-- array of composites and a second one.
--
-- leases_by_session and leases_by_kind become one index, kind first, for quotas are counted under a lock. A session's leases are of kinds of
-- its queue, so that a look for them names those kinds too: one probe a kind of the queue. (Programs that do not name them yet read the
-- whole index: as much as tasks run.)
-- The old steps, lease_picked_v1 and note_starts_v1, stay for claims that began before.
-- works from: 0029

-- Heartbeat, recovery, drain: what one worker holds, by kinds of its queue. Quotas and ceilings: how many of a kind run.
CREATE INDEX leases_by_holder ON taskfleet.leases (kind_id, session_id);
DROP INDEX taskfleet.leases_by_session;
DROP INDEX taskfleet.leases_by_kind;

-- Remember starts of kinds that have a rate, and forget windows that no interval reaches any more. The caller holds the kinds' locks.
--
--   kind_ids, counts  integer[]  gated kinds, and how many of each were started
CREATE FUNCTION taskfleet.note_starts_v2(kind_ids integer[], counts integer[], now timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM taskfleet.kind_starts
    USING taskfleet.kinds
    WHERE kinds.id = ANY (kind_ids)
      AND kinds.rate_starts IS NOT NULL
      AND kind_starts.kind_id = kinds.id
      AND kind_starts.window_end <= now - make_interval(secs => 2 * kinds.rate_period_seconds);

    INSERT INTO taskfleet.kind_starts AS known (kind_id, window_start, window_end, starts)
    SELECT
        kinds.id,
        taskfleet.rate_window_start(now, kinds.rate_period_seconds),
        taskfleet.rate_window_start(now, kinds.rate_period_seconds) + make_interval(secs => kinds.rate_period_seconds / 20),
        started.count
    FROM unnest(kind_ids, counts) AS started (kind_id, count)
    JOIN taskfleet.kinds ON kinds.id = started.kind_id
    WHERE kinds.rate_starts IS NOT NULL
      AND started.count > 0
    ON CONFLICT (kind_id, window_start) DO UPDATE
    SET starts = known.starts + excluded.starts,
        window_end = greatest(known.window_end, excluded.window_end);
END;
$$;

-- Claim up to `task_limit` waiting tasks of the given kinds under one lease token.
--
--   session         uuid           who claims: registered, alive, not draining
--   kind_names      text[]         what the worker has handlers for
--   task_limit      integer        its free slots (and a bounded prefetch)
--   mark_kinds, mark_priorities, mark_run_ats   parallel arrays: where to begin to read. Of two marks of one kind and priority the lower is
--                                  its oldest task, the higher says how far claims have come among the fresh ones. A missing or old mark
--                                  costs time, never a task: a batch that they do not fill goes on where the ledger says.
--   stale_slots     integer        how much of task_limit goes to tasks older than the queue's fresh_seconds
--
-- Returns one row a task, in the order of the claim, each with the verdict; or one row with a verdict and no task. Call it in autocommit:
-- quotas hold their advisory locks until the transaction ends, and above READ COMMITTED a count would not see what others just claimed.
CREATE OR REPLACE FUNCTION taskfleet.claim_v1(
    session uuid, kind_names text[], task_limit integer,
    mark_kinds text[] DEFAULT '{}', mark_priorities smallint[] DEFAULT '{}', mark_run_ats timestamptz[] DEFAULT '{}',
    stale_slots integer DEFAULT 0
)
RETURNS TABLE (
    verdict text, limited boolean, task_id bigint, token uuid, kind text, payload jsonb, headers jsonb, group_name text, entity text,
    priority smallint, attempt integer, max_attempts integer, run_at timestamptz, waited_seconds double precision,
    timeout_seconds double precision, entity_missing boolean
)
LANGUAGE plpgsql
-- For everything it calls: plans that stay right when a small table has become a big one. Without sequential scans, bitmaps and sorts what is
-- left is the walk along the index that each statement is written for.
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_sort = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    known record;
    now timestamptz := clock_timestamp();
    fresh_since timestamptz;
    lease_token uuid := gen_random_uuid();
    ranges taskfleet.claim_range[];
    visit record;
    gates taskfleet.claim_gate[] := '{}';
    gate_kinds integer[] := '{}';
    gate_rooms integer[] := '{}';
    new_gates integer[] := '{}';
    gate_starts integer[] := '{}';
    gate_at integer;
    queue_locked boolean := false;
    blocked text := 'idle';
    room integer := task_limit;
    stale_room integer := least(greatest(stale_slots, 0), task_limit);
    lane_room integer;
    picked tid[];
    claimed integer := 0;
    started integer;
    work record;
BEGIN
    IF current_setting('transaction_isolation') NOT IN ('read committed', 'read uncommitted') THEN
        RAISE EXCEPTION 'claim needs READ COMMITTED, this transaction is %', upper(current_setting('transaction_isolation'))
            USING ERRCODE = 'invalid_transaction_state', HINT = 'Call it in autocommit: quotas count what others have just claimed.';
    END IF;

    SELECT
        sessions.queue_id, sessions.draining, queues.held OR queues.paused AS stopped, queues.fresh_seconds, queues.default_max_attempts,
        queues.running_timeout_seconds, least(queues.max_concurrent, queues.ceiling_slots) AS ceiling, named_kinds.*
    INTO known
    FROM taskfleet.sessions
    JOIN taskfleet.queues ON queues.id = sessions.queue_id
    CROSS JOIN LATERAL (
        SELECT
            coalesce(array_agg(named.id), '{}') AS kinds,
            coalesce(array_agg(named.id) FILTER (WHERE named.paused), '{}') AS paused_kinds,
            coalesce(array_agg(named.id) FILTER (
                WHERE coalesce(named.max_concurrent, named.ceiling_slots, named.rate_starts) IS NOT NULL
            ), '{}') AS gated_kinds
        FROM taskfleet.kinds AS named
        WHERE named.queue_id = sessions.queue_id AND named.name = ANY (kind_names)
    ) AS named_kinds
    WHERE sessions.id = session AND sessions.expires_at > now;

    IF NOT FOUND OR known.draining OR known.stopped THEN
        verdict := CASE WHEN known.draining IS NULL THEN 'session_lost' WHEN known.draining THEN 'draining' ELSE 'paused' END;
        limited := false;
        RETURN NEXT;
        RETURN;
    END IF;

    limited := known.ceiling IS NOT NULL OR cardinality(known.gated_kinds) > 0;
    fresh_since := now - make_interval(secs => known.fresh_seconds);

    -- First where the marks point, then, if that does not fill the batch, where the ledger says.
    FOR pass IN 1..2 LOOP
        CONTINUE WHEN pass = 1 AND cardinality(mark_kinds) = 0;
        EXIT WHEN room <= 0;

        IF pass = 1 THEN
            ranges := ARRAY(
                SELECT (
                    marked_kinds.id,
                    marks.priority,
                    -- How far claims have come tells of stale tasks only while it is stale itself, by more than a worker keeps its marks.
                    CASE WHEN max(marks.run_at) < fresh_since - interval '10 seconds' THEN max(marks.run_at) ELSE min(marks.run_at) END,
                    max(marks.run_at)
                )::taskfleet.claim_range
                FROM unnest(mark_kinds, mark_priorities, mark_run_ats) AS marks (kind, priority, run_at)
                JOIN taskfleet.kinds AS marked_kinds ON marked_kinds.queue_id = known.queue_id AND marked_kinds.name = marks.kind
                WHERE marked_kinds.id = ANY (known.kinds)
                GROUP BY marked_kinds.id, marks.priority
            );
        ELSE
            ranges := ARRAY(
                SELECT (waiting.kind_id, waiting.priority, waiting.oldest, waiting.oldest_fresh)::taskfleet.claim_range
                FROM taskfleet.low_water_marks_v1(known.kinds, fresh_since) AS waiting
            );
        END IF;

        IF cardinality(known.paused_kinds) > 0 THEN
            IF EXISTS (SELECT FROM unnest(ranges) WHERE kind_id = ANY (known.paused_kinds)) THEN
                blocked := 'paused';
            END IF;
            ranges := ARRAY(SELECT waiting FROM unnest(ranges) AS waiting WHERE waiting.kind_id <> ALL (known.paused_kinds));
        END IF;
        CONTINUE WHEN cardinality(ranges) = 0;

        -- Locks come in one order, the queue, then kinds ascending; a lock out of order is only tried, so that claims cannot deadlock.
        IF known.ceiling IS NOT NULL AND NOT queue_locked THEN
            PERFORM pg_advisory_xact_lock(taskfleet.lock_class('queue'), known.queue_id);
            queue_locked := true;
            room := least(room, known.ceiling - (
                SELECT sum((SELECT count(*) FROM taskfleet.leases WHERE leases.kind_id = queue_kinds.id))::integer
                FROM taskfleet.kinds AS queue_kinds
                WHERE queue_kinds.queue_id = known.queue_id
            ));
            IF room <= 0 THEN
                blocked := 'ceiling';
                EXIT;
            END IF;
        END IF;
        IF cardinality(known.gated_kinds) > 0 THEN
            new_gates := ARRAY(
                SELECT DISTINCT kind_id
                FROM unnest(ranges)
                WHERE kind_id = ANY (known.gated_kinds) AND kind_id <> ALL (gate_kinds)
                ORDER BY kind_id
            );
        END IF;
        IF cardinality(new_gates) > 0 THEN
            IF cardinality(gate_kinds) = 0 THEN
                PERFORM pg_advisory_xact_lock(taskfleet.lock_class('kind'), new_gate) FROM unnest(new_gates) AS new_gate;
            ELSE
                -- Who holds such a lock is using the quota up.
                blocked := 'quota';
                new_gates := ARRAY(
                    SELECT new_gate FROM unnest(new_gates) AS new_gate
                    WHERE pg_try_advisory_xact_lock(taskfleet.lock_class('kind'), new_gate)
                );
                ranges := ARRAY(
                    SELECT waiting FROM unnest(ranges) AS waiting
                    WHERE waiting.kind_id <> ALL (known.gated_kinds) OR waiting.kind_id = ANY (gate_kinds || new_gates)
                );
            END IF;
            now := clock_timestamp();
            gates := gates || ARRAY(SELECT gate FROM taskfleet.claim_gates_v1(new_gates, now) AS gate);
            gate_kinds := ARRAY(SELECT kind_id FROM unnest(gates));
            gate_rooms := gate_rooms || ARRAY(SELECT allowed FROM unnest(gates) WHERE kind_id = ANY (new_gates));
            gate_starts := gate_starts || array_fill(0, ARRAY[cardinality(new_gates)]);
        END IF;

        -- Lane 1: fresh tasks, priority, then time; leaves `stale_slots` of the room free.
        -- Lane 2: stale tasks, kinds in turn, oldest first whatever the priority: an equal part of `stale_slots` for each kind.
        -- Lane 3: the same kinds again, for what is left of `stale_slots`.
        -- Lane 4: room that no lane used: any age, priority, then time.
        FOR visit IN
            WITH stale AS (
                SELECT kind_id, min(stale_from) AS from_at, random() AS turn, count(*) OVER ()::integer AS kinds_in_lane
                FROM unnest(ranges)
                WHERE stale_room > 0 AND stale_from < fresh_since
                GROUP BY kind_id
            )
            SELECT
                1 AS lane, kind_id, priority, greatest(fresh_from, fresh_since) AS from_at, now AS until_at,
                NULL::integer AS kinds_in_lane, priority::double precision AS first_by, random() AS luck
            FROM unnest(ranges)
            WHERE fresh_from IS NOT NULL
            UNION ALL
            SELECT lane, kind_id, NULL, from_at, fresh_since, kinds_in_lane, turn, 0
            FROM stale CROSS JOIN (VALUES (2), (3)) AS lanes (lane)
            UNION ALL
            SELECT 4, kind_id, priority, stale_from, now, NULL, priority, random()
            FROM unnest(ranges)
            -- Kinds that begin in one bucket come in any order: its start says no more about which is older.
            ORDER BY lane, first_by, from_at, luck
        LOOP
            EXIT WHEN room <= 0;
            lane_room := CASE visit.lane
                WHEN 1 THEN room - stale_room
                WHEN 2 THEN least(stale_room, ceil(stale_slots::numeric / visit.kinds_in_lane))
                WHEN 3 THEN stale_room
                ELSE room
            END;
            gate_at := array_position(gate_kinds, visit.kind_id);
            IF gate_at IS NOT NULL AND gate_rooms[gate_at] <= 0 THEN
                blocked := gates[gate_at].verdict;
                CONTINUE;
            END IF;
            lane_room := least(lane_room, room, gate_rooms[gate_at]);
            CONTINUE WHEN lane_room <= 0;

            picked := CASE
                WHEN visit.priority IS NULL
                    THEN taskfleet.pick_by_age_v1(visit.kind_id, visit.from_at, visit.until_at, lane_room)
                ELSE taskfleet.pick_by_priority_v1(visit.kind_id, visit.priority, visit.from_at, visit.until_at, lane_room)
            END;
            CONTINUE WHEN cardinality(picked) = 0;

            SELECT
                kinds.name, coalesce(kinds.max_attempts, known.default_max_attempts) AS max_attempts, kinds.timeout_seconds,
                now + make_interval(secs => least(kinds.timeout_seconds, known.running_timeout_seconds)) AS deadline_at
            INTO work
            FROM taskfleet.kinds
            WHERE kinds.id = visit.kind_id;

            -- Out of ready, by position, under leases of one session and token, and out to the caller. One probe a task for its text: as
            -- plain joins the planner read all tasks once for every one.
            RETURN QUERY
            WITH taken AS (
                DELETE FROM taskfleet.ready
                WHERE ready.ctid = ANY (picked)
                RETURNING ready.task_id, ready.run_at, ready.due_since, ready.last_attempt_at, ready.attempt_count + 1 AS attempt, ready.priority
            ),
            leased AS (
                INSERT INTO taskfleet.leases (
                    task_id, token, session_id, started_at, deadline_at, run_at, due_since, last_attempt_at, kind_id, attempt_count, priority
                )
                SELECT
                    taken.task_id, lease_token, session, now, work.deadline_at, taken.run_at, taken.due_since, taken.last_attempt_at,
                    visit.kind_id, taken.attempt, taken.priority
                FROM taken
            ),
            noted AS (
                INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
                SELECT visit.kind_id, taken.priority, taskfleet.backlog_bucket(taken.run_at, now), -count(*)
                FROM taken
                GROUP BY 2, 3
            )
            SELECT
                'claimed', limited, taken.task_id, lease_token, work.name, task.payload, task.headers, task.group_name, task.entity,
                taken.priority, taken.attempt, coalesce(task.max_attempts, work.max_attempts), taken.run_at,
                extract(epoch FROM now - taken.run_at)::double precision, work.timeout_seconds, task.entity_missing
            FROM taken
            CROSS JOIN LATERAL (
                SELECT
                    tasks.payload, tasks.headers, tasks.group_name, tasks.entity, tasks.max_attempts,
                    tasks.entity IS NOT NULL AND EXISTS (
                        SELECT
                        FROM taskfleet.missing_entities
                        WHERE missing_entities.queue_id = known.queue_id
                          AND missing_entities.entity = tasks.entity
                          AND missing_entities.until > now
                    ) AS entity_missing
                FROM taskfleet.tasks
                WHERE tasks.id = taken.task_id
                OFFSET 0
            ) AS task
            ORDER BY taken.run_at, taken.task_id;
            GET DIAGNOSTICS started = ROW_COUNT;

            claimed := claimed + started;
            room := room - started;
            IF gate_at IS NOT NULL THEN
                gate_rooms[gate_at] := gate_rooms[gate_at] - started;
                gate_starts[gate_at] := gate_starts[gate_at] + started;
            END IF;
            IF visit.lane IN (2, 3) THEN
                stale_room := stale_room - started;
            END IF;
        END LOOP;
    END LOOP;

    IF claimed = 0 THEN
        verdict := blocked;
        RETURN NEXT;
    ELSIF cardinality(gate_kinds) > 0 THEN
        PERFORM taskfleet.note_starts_v2(gate_kinds, gate_starts, now);
    END IF;
END;
$$;

-- A heartbeat: the process lives, and holds these leases.
--
-- Leases of the session that two heartbeats in a row do not name are given back: the reply of their claim was lost, nobody runs them.
-- (A worker therefore names every lease until the answer to its settlement has come.)
--
-- Returns one row. known = false: the session has expired or was never opened; everything it held is lost.
CREATE OR REPLACE FUNCTION taskfleet.heartbeat_v1(session uuid, ids bigint[], tokens uuid[])
RETURNS TABLE (known boolean, draining boolean, lost bigint[], released integer, stale_share double precision)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    before record;
    unnamed bigint[];
    forgotten bigint[];
    forgotten_tokens uuid[];
BEGIN
    SELECT
        sessions.unnamed_task_ids, sessions.heartbeat_at, sessions.draining, queues.stale_share,
        ARRAY(SELECT kinds.id FROM taskfleet.kinds WHERE kinds.queue_id = sessions.queue_id) AS kind_ids
    INTO before
    FROM taskfleet.sessions
    JOIN taskfleet.queues ON queues.id = sessions.queue_id
    WHERE sessions.id = session AND sessions.expires_at > clock_timestamp()
    FOR NO KEY UPDATE OF sessions;

    IF NOT FOUND THEN
        RETURN QUERY SELECT false, false, ids, 0, 0::double precision;
        RETURN;
    END IF;

    lost := ARRAY(
        SELECT given.id
        FROM unnest(ids, tokens) AS given (id, token)
        WHERE given.token IS DISTINCT FROM (SELECT leases.token FROM taskfleet.leases WHERE leases.task_id = given.id)
    );
    -- Ids and tokens in one look, for the session's own leases only: whoever claims a task meanwhile has another token.
    SELECT
        coalesce(array_agg(mine.task_id) FILTER (WHERE NOT mine.forgotten), '{}'),
        coalesce(array_agg(mine.task_id) FILTER (WHERE mine.forgotten), '{}'),
        coalesce(array_agg(mine.token) FILTER (WHERE mine.forgotten), '{}')
    INTO unnamed, forgotten, forgotten_tokens
    FROM (
        SELECT
            leases.task_id, leases.token,
            leases.task_id = ANY (before.unnamed_task_ids) AND leases.started_at <= before.heartbeat_at AS forgotten
        FROM taskfleet.leases
        WHERE leases.session_id = session
          AND leases.kind_id = ANY (before.kind_ids)
          AND (leases.task_id, leases.token) NOT IN (SELECT given.id, given.token FROM unnest(ids, tokens) AS given (id, token))
    ) AS mine;
    SELECT count(*)::integer
    INTO released
    FROM taskfleet.release_v1(
        forgotten,
        forgotten_tokens,
        array_fill('TASK_LEASE_EXPIRED'::text, ARRAY[cardinality(forgotten)]),
        array_fill(0::double precision, ARRAY[cardinality(forgotten)])
    );

    UPDATE taskfleet.sessions
    SET heartbeat_at = clock_timestamp(),
        expires_at = clock_timestamp() + make_interval(secs => sessions.lease_seconds),
        unnamed_task_ids = unnamed
    WHERE sessions.id = session;

    known := true;
    draining := before.draining;
    stale_share := before.stale_share;
    RETURN NEXT;
END;
$$;

-- Say goodbye: as in migration 0010, by kinds of the session's queue.
CREATE OR REPLACE FUNCTION taskfleet.close_session_v1(session uuid) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    held_ids bigint[];
    held_tokens uuid[];
    released integer;
BEGIN
    UPDATE taskfleet.sessions
    SET closed_at = clock_timestamp(),
        expires_at = least(sessions.expires_at, clock_timestamp())
    WHERE sessions.id = session AND sessions.closed_at IS NULL;

    SELECT coalesce(array_agg(leases.task_id), '{}'), coalesce(array_agg(leases.token), '{}')
    INTO held_ids, held_tokens
    FROM taskfleet.leases
    WHERE leases.session_id = session
      AND leases.kind_id = ANY (ARRAY(
          SELECT kinds.id
          FROM taskfleet.kinds JOIN taskfleet.sessions ON sessions.queue_id = kinds.queue_id
          WHERE sessions.id = session
      ));

    SELECT count(*)
    INTO released
    FROM taskfleet.release_v1(
        held_ids,
        held_tokens,
        array_fill('TASK_SHUTDOWN'::text, ARRAY[cardinality(held_ids)]),
        array_fill(0::double precision, ARRAY[cardinality(held_ids)])
    );
    RETURN released;
END;
$$;

-- Say that a draining worker holds nothing any more, after its last claim has returned; false when it is not draining or holds a lease.
CREATE OR REPLACE FUNCTION taskfleet.mark_drained(session uuid) RETURNS boolean
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE taskfleet.sessions
    SET drained_at = coalesce(sessions.drained_at, now())
    WHERE sessions.id = session
      AND sessions.draining
      AND NOT EXISTS (
          SELECT
          FROM taskfleet.leases
          WHERE leases.session_id = sessions.id
            AND leases.kind_id = ANY (ARRAY(SELECT kinds.id FROM taskfleet.kinds WHERE kinds.queue_id = sessions.queue_id))
      );
    RETURN FOUND;
END;
$$;
