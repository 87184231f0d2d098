-- Finish tasks whose leases still hold: one slim history row each, payload gone.
--
--   task_ids  bigint[]  tasks to finish, any order; a batch may span claims
--   tokens    uuid[]    the lease token of each, as its claim returned it
--   results   jsonb[]   the result of each, NULL where there is none
--
-- Returns one row a task that was finished: task_id, result_wanted. A task that is missing was taken over by another worker: the caller
-- drops it and counts it.
SELECT task_id, result_wanted
FROM taskfleet.complete_v1(%(task_ids)s::bigint[], %(tokens)s::uuid[], %(results)s::jsonb[]);
