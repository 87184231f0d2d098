-- End tasks of one kind that have run for too long, for good.
--
--   kind_id         integer
--   started_before  timestamptz
--   limit           integer
--   ending          text[]       state, reason, code, message
--
-- Returns one row: how many. Index: leases_by_holder.
SELECT taskfleet.end_running_v1(%(kind_id)s::integer, %(started_before)s::timestamptz, %(limit)s::integer, %(ending)s::text[]);
