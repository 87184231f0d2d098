-- End attempts that went wrong: a retry after a backoff, or a dead letter; the database decides from attempts and policy.
--
--   task_ids, tokens  bigint[], uuid[]  the leases
--   codes, messages   text[]            what went wrong
--   stacks            text[]            where, NULL where unknown
--   retryables        boolean[]         false: a dead letter at once
--   entities          text[]            entities found missing, NULL where none
--
-- Returns one row a lease that held: task_id, outcome ('retried', 'failed' or 'cancelled'), and whether it has ended and somebody waits for its
-- result.
SELECT ended.task_id, ended.outcome,
    CASE WHEN ended.outcome <> 'retried' THEN (SELECT tasks.wants_result FROM taskfleet.tasks WHERE tasks.id = ended.task_id) END
FROM taskfleet.fail_v1(
    %(task_ids)s::bigint[], %(tokens)s::uuid[], %(codes)s::text[], %(messages)s::text[], %(stacks)s::text[], %(retryables)s::boolean[],
    %(entities)s::text[]
) AS ended;
