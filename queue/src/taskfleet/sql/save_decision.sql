-- Keep a decision of the operator for people who ask why.
--
--   queue and one parameter a column; decided_at NULL: now
--
-- Returns nothing; a queue that does not exist keeps nothing.
INSERT INTO taskfleet.decisions (
    queue_id, decided_at, replicas, wanted, desired, reason, message, ready, running, oldest_seconds, ceiling, steps
)
SELECT
    queues.id, coalesce(%(decided_at)s::timestamptz, now()), %(replicas)s::integer, %(wanted)s::integer, %(desired)s::integer,
    %(reason)s::text, %(message)s::text, %(ready)s::bigint, %(running)s::bigint, %(oldest_seconds)s::double precision,
    %(ceiling)s::integer, %(steps)s::jsonb
FROM taskfleet.queues
WHERE queues.name = %(queue)s::text;
