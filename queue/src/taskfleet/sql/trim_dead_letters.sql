-- Forget failed and cancelled tasks whose retention has passed, payload included, and write it down.
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
),
audited AS (
    INSERT INTO taskfleet.audit_log (actor, action, queue, kind, outcome, detail)
    SELECT
        'maintenance', 'trim_dead_letters', queues.name, kinds.name, 'done',
        jsonb_build_object('count', count(*), 'older_than_seconds', queues.failed_retention_seconds)
    FROM forgotten
    JOIN taskfleet.kinds ON kinds.id = forgotten.kind_id
    JOIN taskfleet.queues ON queues.id = kinds.queue_id
    GROUP BY queues.id, kinds.id
)
SELECT count(*) FROM forgotten;
