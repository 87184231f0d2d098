-- Which kinds of a queue a quota, a rate or a ceiling limits; all of them where the queue as a whole is limited.
--
--   queue  text    name of the queue
--   kinds  text[]  names of the kinds asked for
--
-- Returns rows: kind.
SELECT kinds.name AS kind
FROM taskfleet.queues
JOIN taskfleet.kinds ON kinds.queue_id = queues.id
WHERE queues.name = %(queue)s::text
  AND kinds.name = ANY (%(kinds)s::text[])
  AND coalesce(kinds.max_concurrent, kinds.ceiling_slots, kinds.rate_starts, queues.max_concurrent, queues.ceiling_slots) IS NOT NULL;
