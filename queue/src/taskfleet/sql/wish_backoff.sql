-- A worker's own wish for the pauses between attempts, where nobody has written a policy for its queue.
--
--   queue    text              name of the queue
--   lowest   double precision  seconds before the second attempt
--   highest  double precision  seconds, at most, before any
--
-- Returns nothing.
UPDATE taskfleet.queues
SET default_min_backoff_seconds = %(lowest)s::double precision,
    default_max_backoff_seconds = %(highest)s::double precision
WHERE queues.name = %(queue)s::text
  AND queues.policy_written_at IS NULL
  AND (queues.default_min_backoff_seconds, queues.default_max_backoff_seconds)
      IS DISTINCT FROM (%(lowest)s::double precision, %(highest)s::double precision);
