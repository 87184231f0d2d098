-- Give tasks back without using up an attempt.
--
--   task_ids, tokens  bigint[], uuid[]    the leases
--   codes             text[]              why
--   delays            double precision[]  seconds until each may run again
--
-- Returns one row a lease that held: task_id, outcome ('released', 'failed' when it waited too long, or 'cancelled'), and whether it has ended
-- and somebody waits for its result.
SELECT ended.task_id, ended.outcome,
    CASE WHEN ended.outcome <> 'released' THEN (SELECT tasks.wants_result FROM taskfleet.tasks WHERE tasks.id = ended.task_id) END
FROM taskfleet.release_v1(%(task_ids)s::bigint[], %(tokens)s::uuid[], %(codes)s::text[], %(delays)s::double precision[]) AS ended;
