-- loses the audit log: SELECT 1 FROM taskfleet.audit_log
-- loses the longest waits of stale lanes (stale_wait_seconds): SELECT 1 FROM taskfleet.queues WHERE stale_wait_seconds IS NOT NULL
DROP FUNCTION taskfleet.trim_succeeded_v1(text, integer[], bigint, integer, boolean);
DROP FUNCTION taskfleet.end_running_v1(integer, timestamptz, integer, text[]);
DROP FUNCTION taskfleet.sweep_waiting_v1(integer, text, timestamptz, boolean, timestamptz, bigint, integer, text[]);
DROP FUNCTION taskfleet.bury_waiting_v1(tid[], integer, text, text, text, text);
DROP FUNCTION taskfleet.waiting_limit_seconds(taskfleet.queues, double precision);

-- As migration 0003 left it.
CREATE OR REPLACE FUNCTION taskfleet.create_partitions_v1(first_day date, days integer) RETURNS integer
LANGUAGE plpgsql
AS $$
DECLARE
    home text := (SELECT quote_ident(nspname) FROM pg_namespace JOIN pg_class ON relnamespace = pg_namespace.oid
                  WHERE pg_class.oid = 'taskfleet.tasks'::regclass);
    relation text;
    day date;
    partition text;
    made integer := 0;
BEGIN
    FOREACH relation IN ARRAY ARRAY['attempts', 'succeeded_tasks'] LOOP
        FOR day IN SELECT generate_series(first_day, first_day + days - 1, interval '1 day')::date LOOP
            partition := format('%s.%I', home, relation || '_' || to_char(day, 'YYYYMMDD'));
            CONTINUE WHEN to_regclass(partition) IS NOT NULL;
            EXECUTE format('CREATE TABLE %s (LIKE %s.%I INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition, home, relation);
            EXECUTE format(
                'ALTER TABLE %s.%I ATTACH PARTITION %s FOR VALUES FROM (%L) TO (%L)',
                home, relation, partition, day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00'
            );
            made := made + 1;
        END LOOP;
    END LOOP;
    RETURN made;
END;
$$;

DROP TABLE taskfleet.retention_marks;
DROP TABLE taskfleet.audit_log;
DROP SEQUENCE taskfleet.audit_ids;
DELETE FROM taskfleet.maintenance_jobs WHERE job IN ('nightly_dry_run', 'nightly_cleanup');
DROP INDEX taskfleet.ready_tried_by_due;
CREATE INDEX ready_tried_by_due ON taskfleet.ready (kind_id, due_since) WHERE due_since < run_at;
ALTER TABLE taskfleet.queues DROP COLUMN stale_wait_seconds;
