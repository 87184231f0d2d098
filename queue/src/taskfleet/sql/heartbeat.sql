-- A worker lives and holds these leases (migrations/0010_sessions.up.sql, 0013_cancel.up.sql).
--
--   session           uuid
--   task_ids, tokens  bigint[], uuid[]  every lease whose settlement has not been answered
--
-- Returns one row: known, draining, lost, cancelled (held leases that somebody wants stopped), released, stale_share.
SELECT known, draining, lost, cancelled, released, stale_share
FROM taskfleet.heartbeat_v2(%(session)s::uuid, %(task_ids)s::bigint[], %(tokens)s::uuid[]);
