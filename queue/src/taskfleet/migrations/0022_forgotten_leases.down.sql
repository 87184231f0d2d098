CREATE OR REPLACE FUNCTION taskfleet.heartbeat_v1(session uuid, ids bigint[], tokens uuid[])
RETURNS TABLE (known boolean, draining boolean, lost bigint[], released integer, stale_share double precision)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    before record;
    unnamed bigint[];
    forgotten bigint[];
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
    unnamed := ARRAY(
        SELECT leases.task_id
        FROM taskfleet.leases
        WHERE leases.session_id = session
          AND (leases.task_id, leases.token) NOT IN (SELECT given.id, given.token FROM unnest(ids, tokens) AS given (id, token))
    );
    forgotten := ARRAY(
        SELECT leases.task_id
        FROM taskfleet.leases
        WHERE leases.task_id = ANY (unnamed)
          AND leases.task_id = ANY (before.unnamed_task_ids)
          AND leases.started_at <= before.heartbeat_at
    );
    SELECT count(*)::integer
    INTO released
    FROM taskfleet.release_v1(
        forgotten,
        ARRAY(SELECT leases.token FROM unnest(forgotten) WITH ORDINALITY AS lease (id, place)
              JOIN taskfleet.leases ON leases.task_id = lease.id ORDER BY lease.place),
        array_fill('TASK_LEASE_EXPIRED'::text, ARRAY[cardinality(forgotten)]),
        array_fill(0::double precision, ARRAY[cardinality(forgotten)])
    );

    UPDATE taskfleet.sessions
    SET heartbeat_at = clock_timestamp(),
        expires_at = clock_timestamp() + make_interval(secs => sessions.lease_seconds),
        unnamed_task_ids = ARRAY(SELECT id FROM unnest(unnamed) AS id WHERE id <> ALL (forgotten))
    WHERE sessions.id = session;

    known := true;
    draining := before.draining;
    stale_share := before.stale_share;
    RETURN NEXT;
END;
$$;
