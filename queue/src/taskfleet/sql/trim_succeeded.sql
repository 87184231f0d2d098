-- Forget successes of some kinds in one day's partition, the next rows by id.
--
--   partition  text       name without schema
--   kind_ids   integer[]
--   after_id   bigint     where the last call stopped
--   limit      integer    most rows to look at
--   dry_run    boolean    count only
--
-- Returns one row: seen (fewer than limit: it is through), matched, last_id. Index: the partition's succeeded_tasks_by_id.
SELECT seen, matched, last_id
FROM taskfleet.trim_succeeded_v1(%(partition)s::text, %(kind_ids)s::integer[], %(after_id)s::bigint, %(limit)s::integer, %(dry_run)s::boolean);
