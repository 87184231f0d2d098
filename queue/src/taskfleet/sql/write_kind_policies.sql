-- The policies of the kinds of a queue; kinds that are not named lose the limits they had. Each is created where it does not exist.
--
--   queue_id  integer
--   kinds     text[]    names, each with a place in the parallel arrays
--   max_concurrents, rate_starts, max_attempts                                        integer[]
--   rate_periods, expected_seconds, timeouts, min_backoffs, max_backoffs              double precision[]
--
-- Returns nothing.
WITH given AS MATERIALIZED (
    SELECT *
    FROM unnest(
        %(kinds)s::text[], %(max_concurrents)s::integer[], %(rate_starts)s::integer[], %(rate_periods)s::double precision[],
        %(expected_seconds)s::double precision[], %(timeouts)s::double precision[], %(max_attempts)s::integer[],
        %(min_backoffs)s::double precision[], %(max_backoffs)s::double precision[]
    ) AS given (
        name, max_concurrent, rate_starts, rate_period_seconds, expected_seconds, timeout_seconds, max_attempts, min_backoff_seconds,
        max_backoff_seconds
    )
),
unnamed AS (
    UPDATE taskfleet.kinds
    SET max_concurrent = NULL,
        rate_starts = NULL,
        rate_period_seconds = NULL,
        expected_seconds = NULL,
        timeout_seconds = NULL,
        max_attempts = NULL,
        min_backoff_seconds = NULL,
        max_backoff_seconds = NULL
    WHERE kinds.queue_id = %(queue_id)s::integer
      AND kinds.name NOT IN (SELECT given.name FROM given)
      AND num_nonnulls(
          kinds.max_concurrent, kinds.rate_starts, kinds.expected_seconds, kinds.timeout_seconds, kinds.max_attempts,
          kinds.min_backoff_seconds, kinds.max_backoff_seconds
      ) > 0
)
INSERT INTO taskfleet.kinds (
    queue_id, name, max_concurrent, rate_starts, rate_period_seconds, expected_seconds, timeout_seconds, max_attempts, min_backoff_seconds,
    max_backoff_seconds
)
SELECT
    %(queue_id)s::integer, name, max_concurrent, rate_starts, rate_period_seconds, expected_seconds, timeout_seconds, max_attempts,
    min_backoff_seconds, max_backoff_seconds
FROM given
ORDER BY name
ON CONFLICT (queue_id, name) DO UPDATE
SET max_concurrent = excluded.max_concurrent,
    rate_starts = excluded.rate_starts,
    rate_period_seconds = excluded.rate_period_seconds,
    expected_seconds = excluded.expected_seconds,
    timeout_seconds = excluded.timeout_seconds,
    max_attempts = excluded.max_attempts,
    min_backoff_seconds = excluded.min_backoff_seconds,
    max_backoff_seconds = excluded.max_backoff_seconds;
