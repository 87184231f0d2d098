-- Take back tasks of workers that were not heard of for a whole lease; it counts as an attempt.
--
--   limit  integer
--
-- Returns one row: how many. Indexes: leases_by_holder, leases_pkey.
WITH lost AS MATERIALIZED (
    SELECT leases.task_id, leases.token, sessions.worker, sessions.lease_seconds
    FROM taskfleet.sessions
    JOIN taskfleet.kinds ON kinds.queue_id = sessions.queue_id
    JOIN taskfleet.leases ON leases.kind_id = kinds.id AND leases.session_id = sessions.id
    WHERE sessions.expires_at <= clock_timestamp()
      AND sessions.closed_at IS NULL
    LIMIT %(limit)s::integer
    FOR UPDATE OF leases SKIP LOCKED
),
batch AS (
    SELECT
        array_agg(lost.task_id) AS ids,
        array_agg(lost.token) AS tokens,
        array_agg('TASK_LEASE_EXPIRED'::text) AS codes,
        array_agg(concat('worker ', lost.worker, ' was not heard of for ', lost.lease_seconds, ' s')) AS messages,
        array_agg(NULL::text) AS nothing,
        array_agg(true) AS retryables
    FROM lost
)
SELECT count(*)
FROM batch
CROSS JOIN LATERAL taskfleet.fail_v1(
    batch.ids, batch.tokens, batch.codes, batch.messages, batch.nothing, batch.retryables, batch.nothing
);
