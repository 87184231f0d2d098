-- Daily partitions whose last moment is older than the longest retention of any queue, oldest first.
--
--   least_seconds  double precision  retention where no queue says more
--   audit_seconds  double precision  how long the audit log is kept; 0: for ever
--
-- Returns rows: relation, partition (both without schema), detaching, least_seconds.
WITH kept AS (
    SELECT greatest(max(queues.succeeded_retention_seconds), max(queues.failed_retention_seconds), %(least_seconds)s::double precision) AS seconds
    FROM taskfleet.queues
)
SELECT
    parents.relname AS relation,
    partitions.relname AS partition,
    pg_inherits.inhdetachpending AS detaching,
    %(least_seconds)s::double precision AS least_seconds
FROM pg_inherits
JOIN pg_class AS partitions ON partitions.oid = pg_inherits.inhrelid
JOIN pg_class AS parents ON parents.oid = pg_inherits.inhparent
CROSS JOIN kept
WHERE parents.oid IN ('taskfleet.attempts'::regclass, 'taskfleet.succeeded_tasks'::regclass, 'taskfleet.audit_log'::regclass)
  -- CASE: the planner may read the day out of a name before it knows that it is one of a partition.
  AND CASE WHEN partitions.relname ~ '_[0-9]{8}$' THEN to_date(right(partitions.relname, 8), 'YYYYMMDD') END + 1 < (
      now() - make_interval(secs => CASE
          WHEN parents.oid = 'taskfleet.audit_log'::regclass THEN nullif(%(audit_seconds)s::double precision, 0)
          ELSE kept.seconds
      END)
  ) AT TIME ZONE 'UTC'
ORDER BY partitions.relname;
