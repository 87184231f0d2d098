-- What a heartbeat gives back is fenced: it read the tokens of forgotten leases in a second look, which could find another's.

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
    SELECT sessions.unnamed_task_ids, sessions.heartbeat_at, sessions.draining, queues.stale_share
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
