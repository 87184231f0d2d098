-- create_partitions_v1 with the rights of the schema's owner: who takes part in maintenance need not own the relations. It makes the
-- partitions of days to come and nothing else.
CREATE FUNCTION taskfleet.create_partitions_v2(first_day date, days integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN taskfleet.create_partitions_v1(first_day, least(days, 400));
END;
$$;
