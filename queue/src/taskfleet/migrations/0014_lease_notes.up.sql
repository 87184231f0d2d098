-- What a running handler says about its task before it ends: how far it is, and that it needs longer.

ALTER TABLE taskfleet.leases ADD COLUMN progress jsonb;
COMMENT ON COLUMN taskfleet.leases.progress IS 'What the handler said last: {"share": 0.5, "message": "…"}; it goes with the lease.';

-- Take down what handlers say about the tasks that they run.
--
--   ids, tokens     bigint[], uuid[]     the leases
--   progresses      jsonb[]              how far each is; NULL keeps what was said before
--   longer_seconds  double precision[]   time from now that each needs at least; NULL, or less than it has, changes nothing. No task gets
--                                        longer than its queue's running_timeout_seconds
--
-- Returns the ids whose lease still holds. Index: leases_pkey.
CREATE FUNCTION taskfleet.note_v1(ids bigint[], tokens uuid[], progresses jsonb[], longer_seconds double precision[])
RETURNS SETOF bigint
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
BEGIN
    RETURN QUERY
    UPDATE taskfleet.leases
    SET progress = coalesce(given.progress, leases.progress),
        deadline_at = greatest(leases.deadline_at, least(
            clock_timestamp() + make_interval(secs => given.seconds),
            CASE WHEN given.seconds IS NOT NULL THEN leases.started_at + make_interval(secs => (
                SELECT queues.running_timeout_seconds
                FROM taskfleet.kinds JOIN taskfleet.queues ON queues.id = kinds.queue_id
                WHERE kinds.id = leases.kind_id
            )) END
        ))
    FROM unnest(ids, tokens, progresses, longer_seconds) AS given (id, token, progress, seconds)
    WHERE leases.task_id = given.id
      AND leases.token = given.token
    RETURNING leases.task_id;
END;
$$;
