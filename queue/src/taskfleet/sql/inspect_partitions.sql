-- Daily partitions that are missing today or tomorrow, and those whose DETACH was cut off.
--
-- Returns one row a partitioned relation: relation, missing (dates), detaching (names).
SELECT
    parents.oid::regclass::text AS relation,
    ARRAY(
        SELECT days.day
        FROM (SELECT ((now() AT TIME ZONE 'UTC')::date + ahead) AS day FROM generate_series(0, 1) AS ahead) AS days
        WHERE NOT EXISTS (
            SELECT
            FROM pg_inherits
            JOIN pg_class AS partitions ON partitions.oid = pg_inherits.inhrelid
            WHERE pg_inherits.inhparent = parents.oid
              AND NOT pg_inherits.inhdetachpending
              AND partitions.relname = parents.relname || '_' || to_char(days.day, 'YYYYMMDD')
        )
    ) AS missing,
    ARRAY(
        SELECT pg_inherits.inhrelid::regclass::text
        FROM pg_inherits
        WHERE pg_inherits.inhparent = parents.oid
          AND pg_inherits.inhdetachpending
    ) AS detaching
FROM pg_class AS parents
WHERE parents.oid IN ('taskfleet.attempts'::regclass, 'taskfleet.succeeded_tasks'::regclass, 'taskfleet.audit_log'::regclass)
ORDER BY parents.relname;
