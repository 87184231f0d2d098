-- Claim waiting tasks under a lease; the rules are those of the function (migrations/0005_claim.up.sql).
--
--   session          uuid           who claims
--   kinds            text[]         what it has handlers for
--   limit            integer        most tasks
--   mark_kinds, mark_priorities, mark_run_ats   text[], smallint[], timestamptz[]   low-water marks
--   stale_slots      integer        how much of the limit goes to old tasks
--
-- Returns one row a task, or one row with a verdict and no task. All rows have one token; payloads are text, to be decoded together.
SELECT
    verdict, limited, task_id, token::text, kind, payload::text, headers, group_name, entity, priority, attempt, max_attempts, run_at,
    waited_seconds, timeout_seconds, entity_missing
FROM taskfleet.claim_v1(
    %(session)s::uuid, %(kinds)s::text[], %(limit)s::integer, %(mark_kinds)s::text[], %(mark_priorities)s::smallint[],
    %(mark_run_ats)s::timestamptz[], %(stale_slots)s::integer
);
