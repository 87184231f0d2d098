-- Ids of dead letters of a queue, a page of them (migrations/0018_dead_letters.up.sql).
--
--   queue                            text         name of the queue
--   kind, group, trace_id, reason, code   text    NULL: any
--   task_ids                         bigint[]     NULL: any
--   before_at, before_id             timestamptz, bigint   the last one of the page before, NULL: from the newest
--   limit                            integer
--
-- Returns rows, newest first: task_id, failed_at.
SELECT task_id, failed_at
FROM taskfleet.find_dead_letters_v1(
    %(queue)s::text, %(kind)s::text, %(group)s::text, %(trace_id)s::text, %(reason)s::text, %(code)s::text, %(task_ids)s::bigint[],
    %(before_at)s::timestamptz, %(before_id)s::bigint, %(limit)s::integer
);
