-- A completion finds each row once: leases were found to be locked and found again to be deleted, tasks one by one, and the queue's limit
-- of results was looked up twice a task, result or not.
--
-- As in migration 0023, but for how.
-- works from: 0023

-- Finish tasks that went well: one slim row of history each, payload gone, the result kept where it was wanted and is no
-- larger than the queue takes (else only its size).
--
--   ids, tokens  bigint[], uuid[]   the leases; one that is named twice ends once, as it was named first
--   results      jsonb[]            what each handler returned, NULL where nothing; NULL as a whole where nobody did
--
-- Returns one row a lease that held, with whether somebody waits for its result.
--
-- Each row is found once, by its key, and deleted where it is found; leases and tasks meet in a hash join. The fence is a hash of the pairs
-- that were given, looked up as a lease is deleted: IS TRUE keeps it from becoming a join, whose sides the planner may swap. A lease that
-- was changed meanwhile is judged anew, as it is now.
CREATE OR REPLACE FUNCTION taskfleet.complete_v1(ids bigint[], tokens uuid[], results jsonb[])
RETURNS TABLE (task_id bigint, result_wanted boolean)
LANGUAGE plpgsql
SET enable_seqscan = off
SET enable_bitmapscan = off
SET enable_nestloop = off
SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
    now timestamptz := clock_timestamp();
BEGIN
    RETURN QUERY
    WITH ended AS MATERIALIZED (
        DELETE FROM taskfleet.leases
        WHERE task_id = ANY (ids)
          AND ((task_id, token) IN (SELECT given.id, given.token FROM unnest(ids, tokens) AS given (id, token))) IS TRUE
        RETURNING task_id, token, kind_id, attempt_count, started_at
    ),
    removed AS MATERIALIZED (
        DELETE FROM taskfleet.tasks
        WHERE id = ANY (ARRAY(SELECT task_id FROM ended))
        RETURNING id, created_at, wants_result, idempotency_key
    ),
    returned AS (
        SELECT DISTINCT ON (given.id, given.token) given.*
        FROM unnest(CASE WHEN results IS NOT NULL THEN ids END, CASE WHEN results IS NOT NULL THEN tokens END, results) WITH ORDINALITY
            AS given (id, token, result, place)
        ORDER BY given.id, given.token, given.place
    ),
    finished AS MATERIALIZED (
        SELECT
            ended.*, removed.created_at, removed.wants_result, removed.idempotency_key, returned.result,
            CASE WHEN removed.wants_result AND returned.result IS NOT NULL THEN octet_length(returned.result::text) END AS result_bytes
        FROM ended
        JOIN removed ON removed.id = ended.task_id
        LEFT JOIN returned ON returned.id = ended.task_id AND returned.token = ended.token
    ),
    freed AS (
        DELETE FROM taskfleet.idempotency_keys
        WHERE ctid = ANY (ARRAY(
            SELECT key.at
            FROM finished
            CROSS JOIN LATERAL (
                SELECT idempotency_keys.ctid AS at
                FROM taskfleet.idempotency_keys
                WHERE idempotency_keys.kind_id = finished.kind_id
                  AND idempotency_keys.key = finished.idempotency_key
                  AND idempotency_keys.task_id = finished.task_id
                OFFSET 0
            ) AS key
            WHERE finished.idempotency_key IS NOT NULL
        ))
    ),
    history AS (
        INSERT INTO taskfleet.succeeded_tasks (id, created_at, started_at, finished_at, kind_id, attempt_count, result, result_bytes)
        SELECT
            sized.task_id, sized.created_at, sized.started_at, now, sized.kind_id, sized.attempt_count,
            CASE WHEN NOT sized.too_large THEN sized.result END,
            CASE WHEN sized.too_large THEN sized.result_bytes END
        FROM (
            -- The limit is looked up only for a task that has a result.
            SELECT finished.*, CASE WHEN result_bytes IS NOT NULL THEN result_bytes > (
                SELECT queues.max_result_bytes
                FROM taskfleet.queues
                WHERE queues.id = (SELECT kinds.queue_id FROM taskfleet.kinds WHERE kinds.id = finished.kind_id)
            ) END AS too_large
            FROM finished
        ) AS sized
    ),
    counted AS MATERIALIZED (
        SELECT kind_id, count(*) AS count, extract(epoch FROM sum(now - started_at))::double precision AS busy_seconds
        FROM finished
        GROUP BY kind_id
    ),
    outcomes AS (
        INSERT INTO taskfleet.outcome_ledger (kind_id, minute, outcome, count, busy_seconds)
        SELECT kind_id, date_trunc('minute', now), 'succeeded', count, busy_seconds
        FROM counted
    ),
    states AS (
        INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
        SELECT kind_id, 'succeeded', count
        FROM counted
    )
    SELECT task_id, wants_result FROM finished;
END;
$$;
