-- Where claims of a queue may begin to read: for each kind and priority with waiting tasks the start of its oldest backlog bucket and,
-- where it is another one, of its oldest bucket of fresh tasks.
--
--   queue  text    name of the queue
--   kinds  text[]  names of the kinds asked for
--
-- Returns rows: kind, priority, run_at.
WITH asked AS (
    SELECT kinds.id, kinds.name, clock_timestamp() - make_interval(secs => queues.fresh_seconds) AS fresh_since
    FROM taskfleet.queues
    JOIN taskfleet.kinds ON kinds.queue_id = queues.id
    WHERE queues.name = %(queue)s::text
      AND kinds.name = ANY (%(kinds)s::text[])
)
SELECT DISTINCT asked.name AS kind, waiting.priority, mark.run_at
FROM taskfleet.low_water_marks_v1(ARRAY(SELECT id FROM asked), (SELECT min(fresh_since) FROM asked)) AS waiting
JOIN asked ON asked.id = waiting.kind_id
CROSS JOIN LATERAL (VALUES (waiting.oldest), (waiting.oldest_fresh)) AS mark (run_at)
WHERE mark.run_at IS NOT NULL;
