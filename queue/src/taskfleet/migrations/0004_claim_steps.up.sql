-- The steps of a claim; 0005 puts them together. They rely on the settings of claim_v1 and are called by nothing else.

-- Where a claim reads: one kind and priority, from its oldest waiting task and from its oldest fresh one.
CREATE TYPE taskfleet.claim_range AS (
    kind_id integer,
    priority smallint,
    stale_from timestamptz,
    fresh_from timestamptz
);

-- What a gated kind may still start, and what stops it beyond that.
CREATE TYPE taskfleet.claim_gate AS (
    kind_id integer,
    allowed integer,
    verdict text
);

-- A task that a claim has put under a lease.
CREATE TYPE taskfleet.claimed_lease AS (
    task_id bigint,
    run_at timestamptz,
    kind_id integer,
    attempt_count integer,
    priority smallint
);

-- Classes of the advisory locks, all taken for one transaction with the id of their row beside.
CREATE FUNCTION taskfleet.lock_class(name text) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN CASE name WHEN 'queue' THEN 746601 WHEN 'kind' THEN 746602 WHEN 'job' THEN 746603 END;

-- Lock the oldest waiting rows of one kind and priority with from_at <= run_at < until_at, at most row_limit, oldest first.
-- Rows that another transaction is taking are passed over.
-- Index: ready_by_priority. Equality on priority is what lets from_at cut the scan: a range over priorities read 2,000,000 dead entries.
CREATE FUNCTION taskfleet.pick_by_priority_v1(
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

-- The same whatever the priority: the lane in which old tasks never starve.
-- Index: ready_by_age.
CREATE FUNCTION taskfleet.pick_by_age_v1(
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

-- Move picked rows, all of one kind, from ready under leases of one session and token; oldest first.
-- Reads ready by position only.
CREATE FUNCTION taskfleet.lease_picked_v1(
    picked tid[], given_kind integer, given_session uuid, given_token uuid, now timestamptz, longest_seconds double precision
) RETURNS taskfleet.claimed_lease[]
LANGUAGE plpgsql
AS $$
DECLARE
    claimed taskfleet.claimed_lease[];
BEGIN
    WITH taken AS (
        DELETE FROM taskfleet.ready
        WHERE ready.ctid = ANY (picked)
        RETURNING ready.task_id, ready.run_at, ready.due_since, ready.last_attempt_at, ready.attempt_count, ready.priority
    ),
    leased AS (
        INSERT INTO taskfleet.leases (
            task_id, token, session_id, started_at, deadline_at, run_at, due_since, last_attempt_at, kind_id, attempt_count, priority
        )
        SELECT
            taken.task_id,
            given_token,
            given_session,
            now,
            (
                SELECT now + make_interval(secs => least(kinds.timeout_seconds, longest_seconds))
                FROM taskfleet.kinds
                WHERE kinds.id = given_kind
            ),
            taken.run_at,
            taken.due_since,
            taken.last_attempt_at,
            given_kind,
            taken.attempt_count + 1,
            taken.priority
        FROM taken
    ),
    noted AS (
        INSERT INTO taskfleet.backlog_ledger (kind_id, priority, bucket, delta)
        SELECT given_kind, taken.priority, taskfleet.backlog_bucket(taken.run_at, now), -count(*)
        FROM taken
        GROUP BY 2, 3
    )
    SELECT array_agg(
        (taken.task_id, taken.run_at, given_kind, taken.attempt_count + 1, taken.priority)::taskfleet.claimed_lease
        ORDER BY taken.run_at, taken.task_id
    )
    INTO claimed
    FROM taken;
    RETURN coalesce(claimed, '{}');
END;
$$;

-- What gated kinds may start now. The caller holds their advisory locks: this statement's snapshot is younger than the locks, so that
-- no lease or start of another claim is missed.
--
-- A rate is exact: no interval of one period holds more than `rate_starts` starts. The period is cut into 20 sub-windows; an interval of
-- one period touches at most 21 of them, so the starts of the current one and the 20 before count.
CREATE FUNCTION taskfleet.claim_gates_v1(kind_ids integer[], now timestamptz) RETURNS SETOF taskfleet.claim_gate
LANGUAGE plpgsql
AS $$
BEGIN
    RETURN QUERY
    WITH rooms AS (
        SELECT
            kinds.id,
            least(kinds.max_concurrent, kinds.ceiling_slots)
                - (SELECT count(*)::integer FROM taskfleet.leases WHERE leases.kind_id = kinds.id) AS by_count,
            kinds.rate_starts - (
                SELECT coalesce(sum(kind_starts.starts), 0)::integer
                FROM taskfleet.kind_starts
                WHERE kind_starts.kind_id = kinds.id
                  AND kind_starts.window_end > taskfleet.rate_window_start(now, kinds.rate_period_seconds)
                      - make_interval(secs => kinds.rate_period_seconds)
            ) AS by_rate,
            kinds.ceiling_slots < kinds.max_concurrent OR kinds.max_concurrent IS NULL AS breaker_first
        FROM taskfleet.kinds
        WHERE kinds.id = ANY (kind_ids)
    )
    SELECT
        rooms.id,
        greatest(least(rooms.by_count, rooms.by_rate), 0),
        CASE
            WHEN rooms.by_count IS NULL OR rooms.by_rate < rooms.by_count THEN 'rate'
            WHEN rooms.breaker_first THEN 'ceiling'
            ELSE 'quota'
        END
    FROM rooms;
END;
$$;

-- The start of the sub-window, a twentieth of the period, that a moment falls in.
CREATE FUNCTION taskfleet.rate_window_start(at timestamptz, period_seconds double precision) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_timestamp(floor(extract(epoch FROM at)::double precision / (period_seconds / 20)) * (period_seconds / 20));

-- Remember starts of kinds that have a rate, and forget windows that no interval reaches any more. The caller holds the kinds' locks.
CREATE FUNCTION taskfleet.note_starts_v1(claimed taskfleet.claimed_lease[], kind_ids integer[], now timestamptz) RETURNS void
LANGUAGE plpgsql
AS $$
BEGIN
    DELETE FROM taskfleet.kind_starts
    USING taskfleet.kinds
    WHERE kinds.id = ANY (kind_ids)
      AND kind_starts.kind_id = kinds.id
      AND kind_starts.window_end <= now - make_interval(secs => 2 * coalesce(kinds.rate_period_seconds, 0));

    INSERT INTO taskfleet.kind_starts AS known (kind_id, window_start, window_end, starts)
    SELECT
        kinds.id,
        taskfleet.rate_window_start(now, kinds.rate_period_seconds),
        taskfleet.rate_window_start(now, kinds.rate_period_seconds) + make_interval(secs => kinds.rate_period_seconds / 20),
        count(*)
    FROM unnest(claimed) AS started
    JOIN taskfleet.kinds ON kinds.id = started.kind_id
    WHERE kinds.rate_starts IS NOT NULL
      AND kinds.id = ANY (kind_ids)
    GROUP BY kinds.id
    ON CONFLICT (kind_id, window_start) DO UPDATE
    SET starts = known.starts + excluded.starts,
        window_end = greatest(known.window_end, excluded.window_end);
END;
$$;
