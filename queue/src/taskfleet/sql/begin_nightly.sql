-- Start a nightly job, if its hour has come since it ran last and nobody else is at it.
--
--   job   text
--   hour  double precision  hour of the day, UTC
--
-- Returns one row when the caller may go on.
WITH clock AS (
    SELECT date_trunc('day', now(), 'UTC') + make_interval(secs => %(hour)s::double precision * 3600) AS today
),
due AS (
    SELECT pg_try_advisory_xact_lock(taskfleet.lock_class('job'), hashtext(%(job)s::text)) AS mine
    FROM clock
    WHERE NOT EXISTS (
        SELECT
        FROM taskfleet.maintenance_jobs
        WHERE maintenance_jobs.job = %(job)s::text
          AND maintenance_jobs.ran_at >= CASE WHEN clock.today <= now() THEN clock.today ELSE clock.today - interval '1 day' END
    )
)
INSERT INTO taskfleet.maintenance_jobs AS known (job, ran_at)
SELECT %(job)s::text, clock_timestamp()
FROM due
WHERE due.mine
ON CONFLICT (job) DO UPDATE
SET ran_at = excluded.ran_at,
    runs = known.runs + 1
RETURNING known.job;
