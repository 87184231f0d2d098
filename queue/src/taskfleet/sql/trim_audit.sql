-- Forget audit entries that are older than their time to live, oldest first, and write that down.
--
--   older_than_seconds  double precision
--   limit               integer
--
-- Returns one row: how many. Index: audit_log_by_time.
WITH old AS MATERIALIZED (
    SELECT audit_log.at, audit_log.id
    FROM taskfleet.audit_log
    WHERE audit_log.at < now() - make_interval(secs => %(older_than_seconds)s::double precision)
    ORDER BY audit_log.at, audit_log.id
    LIMIT %(limit)s::integer
),
forgotten AS (
    DELETE FROM taskfleet.audit_log
    USING old
    WHERE audit_log.at = old.at
      AND audit_log.id = old.id
    RETURNING audit_log.at
),
audited AS (
    INSERT INTO taskfleet.audit_log (actor, action, outcome, detail)
    SELECT
        'maintenance', 'trim_audit', 'done',
        jsonb_build_object('count', count(*), 'older_than_seconds', %(older_than_seconds)s::double precision, 'newest', max(forgotten.at))
    FROM forgotten
    HAVING count(*) > 0
)
SELECT count(*) FROM forgotten;
