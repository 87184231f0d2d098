-- Make the daily partitions of the time-partitioned relations, from `first_day` on; returns how many were made.
--
-- LIKE + ATTACH takes no lock that a writer waits for; CREATE TABLE … PARTITION OF behind one open export blocked every completion.
-- There is no default partition: it would have to be scanned, under a lock, at every ATTACH.
CREATE FUNCTION taskfleet.create_partitions_v1(first_day date, days integer) RETURNS integer
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

-- Yesterday too: a clock that is set back a little must not stop completions.
SELECT taskfleet.create_partitions_v1((now() AT TIME ZONE 'UTC')::date - 1, 9);
