-- Forget failed and cancelled tasks of one kind that ended before a moment, payload included.
--
--   kind_id        integer
--   failed_before  timestamptz
--   limit          integer
--
-- Returns one row: how many. Index: dead_letters_by_kind. Deletes by arrays: as joins a generic plan read all tasks for each batch.
WITH old AS MATERIALIZED (
    SELECT dead_letters.task_id
    FROM taskfleet.dead_letters
    WHERE dead_letters.kind_id = %(kind_id)s::integer
      AND dead_letters.failed_at < %(failed_before)s::timestamptz
    ORDER BY dead_letters.failed_at, dead_letters.task_id
    LIMIT %(limit)s::integer
    FOR UPDATE SKIP LOCKED
),
forgotten AS (
    DELETE FROM taskfleet.dead_letters
    WHERE dead_letters.task_id = ANY (ARRAY(SELECT old.task_id FROM old))
    RETURNING dead_letters.task_id, dead_letters.kind_id, dead_letters.state
),
removed AS (
    DELETE FROM taskfleet.tasks
    WHERE tasks.id = ANY (ARRAY(SELECT forgotten.task_id FROM forgotten))
),
states AS (
    INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
    SELECT forgotten.kind_id, forgotten.state, -count(*)
    FROM forgotten
    GROUP BY 1, 2
)
SELECT count(*) FROM forgotten;
