-- The policy of a queue; its row is created where it does not exist.
--
--   queue and one parameter a column
--
-- Returns one row: the queue's id.
INSERT INTO taskfleet.queues AS known (
    name, max_concurrent, wait_goal_seconds, fresh_seconds, stale_share, stale_wait_seconds, waiting_expiry_seconds,
    running_timeout_seconds, failed_retention_seconds, succeeded_retention_seconds, max_length, warn_length, max_payload_bytes,
    max_result_bytes, held, policy_written_at
)
VALUES (
    %(queue)s::text, %(max_concurrent)s::integer, %(wait_goal_seconds)s::double precision, %(fresh_seconds)s::double precision,
    %(stale_share)s::double precision, %(stale_wait_seconds)s::double precision, %(waiting_expiry_seconds)s::double precision,
    %(running_timeout_seconds)s::double precision, %(failed_retention_seconds)s::double precision,
    %(succeeded_retention_seconds)s::double precision, %(max_length)s::bigint, %(warn_length)s::bigint, %(max_payload_bytes)s::integer,
    %(max_result_bytes)s::integer, %(held)s::boolean, now()
)
ON CONFLICT (name) DO UPDATE
SET max_concurrent = excluded.max_concurrent,
    wait_goal_seconds = excluded.wait_goal_seconds,
    fresh_seconds = excluded.fresh_seconds,
    stale_share = excluded.stale_share,
    stale_wait_seconds = excluded.stale_wait_seconds,
    waiting_expiry_seconds = excluded.waiting_expiry_seconds,
    running_timeout_seconds = excluded.running_timeout_seconds,
    failed_retention_seconds = excluded.failed_retention_seconds,
    succeeded_retention_seconds = excluded.succeeded_retention_seconds,
    max_length = excluded.max_length,
    warn_length = excluded.warn_length,
    max_payload_bytes = excluded.max_payload_bytes,
    max_result_bytes = excluded.max_result_bytes,
    held = excluded.held,
    -- Expiry counts no time before a queue was let go on.
    resumed_at = CASE WHEN known.held AND NOT excluded.held THEN clock_timestamp() ELSE known.resumed_at END,
    policy_written_at = excluded.policy_written_at
RETURNING known.id;
