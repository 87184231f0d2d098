-- Forget the next old audit entries of a filter, oldest first, or count them.
--
--   older_than_seconds     double precision
--   actor, action, queue, kind, group  text  NULL: any
--   after_at, after_id     timestamptz, bigint  where the last call stopped
--   limit                  integer           most entries to look at
--   dry_run                boolean           true: count only
--
-- Returns one row: seen, matched, last_id, last_at. Index: audit_log_by_time.
WITH old AS MATERIALIZED (
    SELECT
        audit_log.at, audit_log.id,
        (%(actor)s::text IS NULL OR audit_log.actor = %(actor)s::text)
            AND (%(action)s::text IS NULL OR audit_log.action = %(action)s::text)
            AND (%(queue)s::text IS NULL OR audit_log.queue = %(queue)s::text)
            AND (%(kind)s::text IS NULL OR audit_log.kind = %(kind)s::text)
            AND (%(group)s::text IS NULL OR audit_log.group_name = %(group)s::text) AS wanted
    FROM taskfleet.audit_log
    WHERE audit_log.at < now() - make_interval(secs => %(older_than_seconds)s::double precision)
      AND (audit_log.at, audit_log.id) > (%(after_at)s::timestamptz, %(after_id)s::bigint)
    ORDER BY audit_log.at, audit_log.id
    LIMIT %(limit)s::integer
),
forgotten AS (
    DELETE FROM taskfleet.audit_log
    USING old
    WHERE NOT %(dry_run)s::boolean
      AND old.wanted
      AND audit_log.at = old.at
      AND audit_log.id = old.id
)
SELECT
    count(*)::integer AS seen, (count(*) FILTER (WHERE old.wanted))::integer AS matched,
    (array_agg(old.id ORDER BY old.at DESC, old.id DESC))[1] AS last_id, max(old.at) AS last_at
FROM old;
