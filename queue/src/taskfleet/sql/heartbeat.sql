-- A worker lives and holds these leases (migrations/0010_sessions.up.sql).
--
--   session           uuid
--   task_ids, tokens  bigint[], uuid[]  every lease whose settlement has not been answered
--
-- Returns one row: known, draining, lost, released, stale_share.
SELECT known, draining, lost, released, stale_share
FROM taskfleet.heartbeat_v1(%(session)s::uuid, %(task_ids)s::bigint[], %(tokens)s::uuid[]);
