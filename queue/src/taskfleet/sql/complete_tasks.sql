-- Finish tasks whose leases still hold: one slim history row each, payload gone.
--
--   task_ids  bigint[]  tasks to finish, any order; a batch may span claims
--   tokens    uuid[]    the lease token of each, as its claim returned it
--   results   jsonb[]   the result of each, NULL where there is none
--
-- Returns one row, whatever the number of tasks: finished (ids; NULL, as nearly always, when that is every one), wanted (ids of those whose
-- result somebody waits for, or NULL). A task that is missing was taken over by another worker: the caller drops it and counts it.
SELECT
    CASE WHEN count(*) < cardinality(%(task_ids)s::bigint[]) THEN coalesce(array_agg(done.task_id), '{}') END AS finished,
    array_agg(done.task_id) FILTER (WHERE done.result_wanted) AS wanted
FROM taskfleet.complete_v1(%(task_ids)s::bigint[], %(tokens)s::uuid[], %(results)s::jsonb[]) AS done;
