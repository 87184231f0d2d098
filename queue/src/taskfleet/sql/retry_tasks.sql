-- Let failed and cancelled tasks wait again (migrations/0016_retry.up.sql).
--
--   task_ids  bigint[]
--
-- Returns one row an id, in any order: task_id, outcome ('retried', 'idempotency_conflict', 'wrong_state', 'not_found'), state, holder_id.
SELECT task_id, outcome, state, holder_id
FROM taskfleet.retry_v1(%(task_ids)s::bigint[]);
