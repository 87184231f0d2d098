-- Create a queue and kinds of it where they do not exist; what exists keeps its policy.
--
--   queue  text    name of the queue
--   kinds  text[]  names of kinds
--
-- Returns nothing: what a concurrent creator has committed meanwhile is seen by find_kinds.sql, in a new statement.
-- Kinds in order of their names, so that two creators of the same kinds wait for each other instead of deadlocking.
WITH wanted AS (
    SELECT %(queue)s::text AS name
),
created AS (
    INSERT INTO taskfleet.queues (name)
    SELECT name FROM wanted
    WHERE NOT EXISTS (SELECT FROM taskfleet.queues WHERE queues.name = wanted.name)
    ON CONFLICT (name) DO NOTHING
    RETURNING id
),
queue AS (
    SELECT id FROM created
    UNION ALL
    SELECT id FROM taskfleet.queues WHERE name = (SELECT name FROM wanted)
)
INSERT INTO taskfleet.kinds (queue_id, name)
SELECT queue.id, given.name
FROM queue CROSS JOIN unnest(%(kinds)s::text[]) AS given (name)
ORDER BY given.name
ON CONFLICT (queue_id, name) DO NOTHING;
