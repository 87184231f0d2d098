-- Forget failed and cancelled tasks whose retention has passed, payload included.
--
--   limit  integer  most of each kind
--
-- Returns one row: how many. Index: dead_letters_by_kind.
WITH old AS MATERIALIZED (
    SELECT letters.task_id
    FROM taskfleet.kinds
    JOIN taskfleet.queues ON queues.id = kinds.queue_id
    CROSS JOIN LATERAL (
        SELECT dead_letters.task_id
        FROM taskfleet.dead_letters
        WHERE dead_letters.kind_id = kinds.id
          AND dead_letters.failed_at < now() - make_interval(secs => queues.failed_retention_seconds)
        ORDER BY dead_letters.failed_at, dead_letters.task_id
        LIMIT %(limit)s::integer
    ) AS letters
),
forgotten AS (
    DELETE FROM taskfleet.dead_letters
    USING old
    WHERE dead_letters.task_id = old.task_id
    RETURNING dead_letters.task_id, dead_letters.kind_id, dead_letters.state
),
removed AS (
    DELETE FROM taskfleet.tasks
    USING forgotten
    WHERE tasks.id = forgotten.task_id
),
states AS (
    INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
    SELECT forgotten.kind_id, forgotten.state, -count(*)
    FROM forgotten
    GROUP BY 1, 2
)
SELECT count(*) FROM forgotten;
