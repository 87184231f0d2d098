CREATE OR REPLACE FUNCTION taskfleet.backlog_bucket(run_at timestamptz, now timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN now - date_bin(interval '1 hour', run_at, timestamptz '2000-01-01 00:00:00+00') >= interval '2 hours'
        THEN date_bin(interval '1 hour', run_at, timestamptz '2000-01-01 00:00:00+00')
    WHEN now - date_bin(interval '1 minute', run_at, timestamptz '2000-01-01 00:00:00+00') >= interval '6 minutes'
        THEN date_bin(interval '1 minute', run_at, timestamptz '2000-01-01 00:00:00+00')
    ELSE date_bin(interval '5 seconds', run_at, timestamptz '2000-01-01 00:00:00+00')
END;

-- What is in a wide bucket cannot be told apart any more: count what waits. Nobody writes meanwhile; it takes as long as a read of ready.
LOCK TABLE taskfleet.ready, taskfleet.backlog_ledger, taskfleet.backlog_buckets IN SHARE ROW EXCLUSIVE MODE;
DELETE FROM taskfleet.backlog_ledger;
DELETE FROM taskfleet.backlog_buckets;
INSERT INTO taskfleet.backlog_buckets (kind_id, priority, bucket, waiting)
SELECT kind_id, priority, taskfleet.backlog_bucket(run_at, clock.now), count(*)
FROM taskfleet.ready CROSS JOIN (SELECT clock_timestamp() AS now) AS clock
GROUP BY 1, 2, 3;
