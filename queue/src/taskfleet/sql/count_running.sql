-- How many tasks of one kind have run for too long.
--
--   kind_id         integer
--   started_before  timestamptz
--
-- Returns one row: the number. Index: leases_by_holder.
SELECT count(*)
FROM taskfleet.leases
WHERE leases.kind_id = %(kind_id)s::integer
  AND leases.started_at < %(started_before)s::timestamptz;
