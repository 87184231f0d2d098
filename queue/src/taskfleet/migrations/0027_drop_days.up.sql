-- works from: 0026
-- Drop one day's partition that nobody keeps any longer, with the rights of the schema's owner: whoever takes part in maintenance need not own
-- the relations. It looks for itself whether the day may go, so that nobody can use it to drop another.
--
--   partition      text              name of a daily partition of attempts, succeeded_tasks or audit_log
--   least_seconds  double precision  retention where no queue says more
--
-- Returns the relation that it was a day of; NULL when it stays: somebody keeps it, or there is no such day. Of the audit log only days that hold
-- no entry any more go. Takes an exclusive lock on the relation for as long as it takes to detach: set a lock_timeout before.
CREATE FUNCTION taskfleet.drop_day_v1(partition text, least_seconds double precision) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    day record;
    empty boolean;
BEGIN
    SELECT
        parents.oid::regclass AS parent, parents.relname AS relation, days.oid::regclass AS part, pg_inherits.inhdetachpending AS detaching,
        (to_date(right(days.relname, 8), 'YYYYMMDD') + 1)::timestamp AT TIME ZONE 'UTC' AS ends_at
    INTO day
    FROM pg_inherits
    JOIN pg_class AS days ON days.oid = pg_inherits.inhrelid
    JOIN pg_class AS parents ON parents.oid = pg_inherits.inhparent
    WHERE parents.oid IN ('taskfleet.attempts'::regclass, 'taskfleet.succeeded_tasks'::regclass, 'taskfleet.audit_log'::regclass)
      AND days.relname = partition
      AND days.relname ~ '_[0-9]{8}$';
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    IF day.relation = 'audit_log' THEN
        EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s)', day.part) INTO empty;
        IF NOT empty OR day.ends_at >= now() THEN
            RETURN NULL;
        END IF;
    ELSIF day.ends_at >= (
        SELECT now() - make_interval(secs => greatest(
            max(queues.succeeded_retention_seconds), max(queues.failed_retention_seconds), greatest(least_seconds, 0)
        ))
        FROM taskfleet.queues
    ) THEN
        RETURN NULL;
    END IF;

    EXECUTE format('ALTER TABLE %s DETACH PARTITION %s %s', day.parent, day.part, CASE WHEN day.detaching THEN 'FINALIZE' ELSE '' END);
    IF day.relation = 'succeeded_tasks' THEN
        EXECUTE format(
            'INSERT INTO taskfleet.state_ledger (kind_id, state, delta) SELECT kind_id, ''succeeded'', -count(*) FROM %s GROUP BY kind_id', day.part
        );
    END IF;
    EXECUTE format('DROP TABLE %s', day.part);
    RETURN day.relation;
END;
$$;
