-- Forget dead letters of a queue, payload included, a batch of them (migrations/0018_dead_letters.up.sql).
--
--   queue                            text         name of the queue
--   kind, group, trace_id, reason, code   text    NULL: any
--   task_ids                         bigint[]     NULL: any
--   before_at, before_id             timestamptz, bigint   the last one of the page before, NULL: from the newest
--   limit                            integer
--
-- Returns one row: purged, and the place to go on from: last_at, last_id (NULL: nothing was found).
-- One that somebody retries meanwhile stays: its dead letter is gone when this gets there.
WITH chosen AS MATERIALIZED (
    SELECT found.task_id, found.failed_at
    FROM taskfleet.find_dead_letters_v1(
    %(queue)s::text, %(kind)s::text, %(group)s::text, %(trace_id)s::text, %(reason)s::text, %(code)s::text, %(task_ids)s::bigint[],
    %(before_at)s::timestamptz, %(before_id)s::bigint, %(limit)s::integer
) AS found
),
forgotten AS (
    DELETE FROM taskfleet.dead_letters
    WHERE dead_letters.task_id = ANY (ARRAY(SELECT chosen.task_id FROM chosen))
    RETURNING dead_letters.task_id, dead_letters.kind_id, dead_letters.state
),
removed AS (
    DELETE FROM taskfleet.tasks
    WHERE tasks.id = ANY (ARRAY(SELECT forgotten.task_id FROM forgotten))
),
states AS (
    INSERT INTO taskfleet.state_ledger (kind_id, state, delta)
    SELECT kind_id, state, -count(*)
    FROM forgotten
    GROUP BY 1, 2
),
place AS (
    SELECT chosen.failed_at, chosen.task_id
    FROM chosen
    ORDER BY chosen.failed_at, chosen.task_id
    LIMIT 1
)
SELECT
    (SELECT count(*) FROM forgotten) AS purged,
    (SELECT place.failed_at FROM place) AS last_at,
    (SELECT place.task_id FROM place) AS last_id;
