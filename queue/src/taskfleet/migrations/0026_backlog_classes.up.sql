-- The bucket of the backlog ledger that a run_at belongs to, seen at `now`. The older, the wider, so that a kind and priority has some 75
-- buckets in 48 hours and not 216:
--
--   age of the wider floor  below 1 min  1 min  4 min  20 min  1 h     2 h  16 h
--   width of the bucket     5 s          15 s   1 min  5 min   15 min  1 h  4 h
--
-- A bucket is at most a quarter as wide as the age from which it is used, half from 2 hours on: an age that is read from the start of a
-- bucket is never too low, and too high by that part at most. A moment in the future has a bucket of 5 s.
--
-- The floors nest, and the class is decided by the age of the wider floor, so that the start of a bucket always falls in the same later
-- bucket as every task in it: whatever the moments at which +1 and -1 were written, they meet once a reader widens both with its own now.
-- No class is narrower than that of the same age was before (0002), so buckets that are there already go on as they are.
--
--   run_at 10:07:13 seen at 10:08:00 -> 10:07:10    at 10:14:00 -> 10:07:00    at 12:30:00 -> 10:00:00
--
-- The first line spares the others for what is claimed soon after it was enqueued, which is most.
CREATE OR REPLACE FUNCTION taskfleet.backlog_bucket(run_at timestamptz, now timestamptz) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE
    WHEN now - run_at < interval '45 seconds'
        THEN date_bin(interval '5 seconds', run_at, timestamptz '2000-01-01 00:00:00+00')
    WHEN now - date_bin(interval '5 minutes', run_at, timestamptz '2000-01-01 00:00:00+00') < interval '20 minutes'
        THEN CASE
            WHEN now - date_bin(interval '1 minute', run_at, timestamptz '2000-01-01 00:00:00+00') >= interval '4 minutes'
                THEN date_bin(interval '1 minute', run_at, timestamptz '2000-01-01 00:00:00+00')
            WHEN now - date_bin(interval '15 seconds', run_at, timestamptz '2000-01-01 00:00:00+00') >= interval '1 minute'
                THEN date_bin(interval '15 seconds', run_at, timestamptz '2000-01-01 00:00:00+00')
            ELSE date_bin(interval '5 seconds', run_at, timestamptz '2000-01-01 00:00:00+00')
        END
    WHEN now - date_bin(interval '4 hours', run_at, timestamptz '2000-01-01 00:00:00+00') >= interval '16 hours'
        THEN date_bin(interval '4 hours', run_at, timestamptz '2000-01-01 00:00:00+00')
    WHEN now - date_bin(interval '1 hour', run_at, timestamptz '2000-01-01 00:00:00+00') >= interval '2 hours'
        THEN date_bin(interval '1 hour', run_at, timestamptz '2000-01-01 00:00:00+00')
    WHEN now - date_bin(interval '15 minutes', run_at, timestamptz '2000-01-01 00:00:00+00') >= interval '1 hour'
        THEN date_bin(interval '15 minutes', run_at, timestamptz '2000-01-01 00:00:00+00')
    ELSE date_bin(interval '5 minutes', run_at, timestamptz '2000-01-01 00:00:00+00')
END;
