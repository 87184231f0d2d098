-- Look at the next waiting tasks of one kind that are due since before a moment, and end those that match.
--
--   kind_id     integer
--   group       text         NULL: any
--   due_before  timestamptz
--   tried       boolean      false: tasks whose run_at lies before it too; true: those that wait for another attempt
--   after_at    timestamptz  where the last call stopped; '-infinity' begins
--   after_id    bigint       with it; 0 begins
--   limit       integer      most rows to look at
--   ending      text[]       state, reason, code, message; NULL: count only
--
-- Returns one row: seen (fewer than limit: it is through), matched, last_at, last_id. Indexes: ready_by_age, ready_tried_by_due.
SELECT seen, matched, last_at, last_id
FROM taskfleet.sweep_waiting_v1(
    %(kind_id)s::integer, %(group)s::text, %(due_before)s::timestamptz, %(tried)s::boolean, %(after_at)s::timestamptz, %(after_id)s::bigint,
    %(limit)s::integer, %(ending)s::text[]
);
