-- The bucket of the backlog ledger that a run_at belongs to, seen at `now`: 5 s wide while young (or in the future), a minute wide above
-- about 5 minutes of age, an hour wide above about an hour.
--
-- The floors nest, and the class is decided by the age of the wider floor, so that the start of a bucket always falls in the same later
-- bucket as every task in it: whatever the moments at which +1 and -1 were written, they meet once a reader widens both with its own now.
--
--   run_at 10:07:13 seen at 10:08:00 -> 10:07:10    at 10:14:00 -> 10:07:00    at 12:30:00 -> 10:00:00
CREATE FUNCTION taskfleet.backlog_bucket(run_at timestamptz, now timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN now - date_bin(interval '1 hour', run_at, timestamptz '2000-01-01 00:00:00+00') >= interval '2 hours'
        THEN date_bin(interval '1 hour', run_at, timestamptz '2000-01-01 00:00:00+00')
    WHEN now - date_bin(interval '1 minute', run_at, timestamptz '2000-01-01 00:00:00+00') >= interval '6 minutes'
        THEN date_bin(interval '1 minute', run_at, timestamptz '2000-01-01 00:00:00+00')
    ELSE date_bin(interval '5 seconds', run_at, timestamptz '2000-01-01 00:00:00+00')
END;

-- Where work of these kinds waits: the start of the oldest bucket with a positive sum, per kind and priority, and the same among tasks
-- younger than `fresh_since`. Costs the number of buckets and of deltas not folded yet, never of tasks. Nothing that is due is older than
-- its mark: the delta is written in the transaction that inserts the row, and the clock is read after the snapshot.
--
--   kind_ids     integer[]    the kinds asked for
--   fresh_since  timestamptz  tasks with run_at from here on are fresh
CREATE FUNCTION taskfleet.low_water_marks_v1(kind_ids integer[], fresh_since timestamptz)
RETURNS TABLE (kind_id integer, priority smallint, oldest timestamptz, oldest_fresh timestamptz)
LANGUAGE plpgsql VOLATILE
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH clock AS MATERIALIZED (
        SELECT clock_timestamp() AS now
    ),
    deltas AS (
        SELECT kind_id, priority, bucket, waiting AS delta
        FROM taskfleet.backlog_buckets
        WHERE kind_id = ANY (kind_ids)
        UNION ALL
        SELECT kind_id, priority, bucket, delta
        FROM taskfleet.backlog_ledger
        WHERE kind_id = ANY (kind_ids)
    ),
    waiting AS (
        SELECT kind_id, priority, taskfleet.backlog_bucket(bucket, now) AS bucket
        FROM deltas CROSS JOIN clock
        WHERE bucket <= now
        GROUP BY 1, 2, 3
        HAVING sum(delta) > 0
    )
    SELECT
        kind_id,
        priority,
        min(bucket),
        min(bucket) FILTER (WHERE bucket >= taskfleet.backlog_bucket(fresh_since, now))
    FROM waiting CROSS JOIN clock
    GROUP BY kind_id, priority;
END;
$$;
