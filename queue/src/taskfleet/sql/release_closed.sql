-- Take back tasks of workers that have said goodbye: claims that committed after it, which nobody runs.
--
--   limit  integer
--
-- Returns one row: how many. Indexes: leases_by_holder, leases_pkey.
WITH left_behind AS MATERIALIZED (
    SELECT leases.task_id, leases.token
    FROM taskfleet.sessions
    JOIN taskfleet.kinds ON kinds.queue_id = sessions.queue_id
    JOIN taskfleet.leases ON leases.kind_id = kinds.id AND leases.session_id = sessions.id
    WHERE sessions.closed_at IS NOT NULL
    LIMIT %(limit)s::integer
    FOR UPDATE OF leases SKIP LOCKED
),
batch AS (
    SELECT
        array_agg(left_behind.task_id) AS ids,
        array_agg(left_behind.token) AS tokens,
        array_agg('TASK_UNSTARTED'::text) AS codes,
        array_agg(0::double precision) AS delays
    FROM left_behind
)
SELECT count(*)
FROM batch
CROSS JOIN LATERAL taskfleet.release_v1(batch.ids, batch.tokens, batch.codes, batch.delays);
