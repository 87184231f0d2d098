-- Give tasks back without using up an attempt.
--
--   task_ids, tokens  bigint[], uuid[]    the leases
--   codes             text[]              why
--   delays            double precision[]  seconds until each may run again
--
-- Returns one row a lease that held: task_id, outcome ('released', or 'failed' when it waited too long).
SELECT task_id, outcome
FROM taskfleet.release_v1(%(task_ids)s::bigint[], %(tokens)s::uuid[], %(codes)s::text[], %(delays)s::double precision[]);
